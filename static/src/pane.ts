// One terminal: xterm.js, its channel to the rack, and what lies over it when
// its node does not run.

import { FitAddon } from "@xterm/addon-fit";
import type { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { type IDisposable, Terminal } from "@xterm/xterm";
import type { Channel, Screen } from "./channel.ts";
import { terminalTheme } from "./colours.ts";
import { button, copy, h } from "./dom.ts";
import { parseKey, titleOf, type Key } from "./layout.ts";
import { NodeOverlay } from "./overlay.ts";
import type { NodeState, Op } from "./protocol.ts";
import { isTerminalReply } from "./replies.ts";
import { settings } from "./settings.ts";
import type { Stream } from "./stream.ts";
import { isDark } from "./theme.ts";

const SCROLLBACK = 5000; // lines
const FIT_PAUSE = 40; // ms; a drag of a separator fits some 20 times a second
const RESIZE_PAUSE = 120; // ms; the guest is told less often, each time redraws its screen

const encoder = new TextEncoder();

export interface PaneHost {
  stream: Stream;
  readonly: boolean;
  act(op: Op): void;
  /** A key that is the page's and not the terminal's; true when it was. */
  shortcut(e: KeyboardEvent): boolean;
}

export class Pane implements Screen {
  readonly node: string;
  readonly console: number;
  readonly element: HTMLElement; // the tab panel
  private readonly holder: HTMLElement;
  private readonly term: Terminal;
  private readonly fitter = new FitAddon();
  private readonly overlay: NodeOverlay;
  private readonly observer: ResizeObserver;
  private channel: Channel | null = null;
  private gpu: IDisposable | null = null;
  private search: SearchAddon | null = null;
  private searchBar: HTMLElement | null = null;
  private replay = false;
  private foreign = false; // another client set the size
  private fitTimer: ReturnType<typeof setTimeout> | undefined;
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private pressed: KeyboardEvent | null = null;
  private opened = false;
  private gone = false;

  constructor(
    readonly key: Key,
    private readonly host: PaneHost,
  ) {
    ({ node: this.node, console: this.console } = parseKey(key));
    this.term = new Terminal({
      allowProposedApi: true, // for the widths of Unicode 11
      scrollback: SCROLLBACK,
      fontFamily: fontFamily(),
      fontSize: snapped(settings.fontSize),
      screenReaderMode: settings.screenReader,
      theme: terminalTheme(isDark()),
      minimumContrastRatio: 4.5,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      disableStdin: host.readonly,
      linkHandler: { activate: (e, uri) => follow(e, uri), allowNonHttpProtocols: false },
    });
    this.term.loadAddon(this.fitter);
    this.term.loadAddon(new Unicode11Addon());
    this.term.unicode.activeVersion = "11";
    this.term.loadAddon(new WebLinksAddon(follow));
    this.term.onData((d) => this.typed(d));
    this.term.onBinary((d) => this.send(Uint8Array.from(d, (c) => c.charCodeAt(0))));
    this.term.onResize(({ cols, rows }) => {
      if (this.foreign) return;
      clearTimeout(this.resizeTimer);
      this.resizeTimer = setTimeout(() => this.channel?.resize(cols, rows), RESIZE_PAUSE);
    });
    this.term.attachCustomKeyEventHandler((e) => this.onKey(e));

    this.holder = h("div", { class: "pane-screen" });
    this.overlay = new NodeOverlay(this.node, host.readonly, (op) => host.act(op));
    this.element = h(
      "div",
      {
        class: "pane",
        role: "tabpanel",
        id: `panel-${key.replace("/", "-")}`,
        "aria-label": `Terminal ${titleOf(key)}`,
        "data-node": this.node,
        "data-console": this.console,
      },
      this.holder,
      this.overlay.element,
    );
    this.element.addEventListener("focusin", () => this.reclaim());
    this.observer = new ResizeObserver(() => this.fitSoon());
  }

  get cols(): number {
    return this.term.cols;
  }

  get rows(): number {
    return this.term.rows;
  }

  /** Call once the element stands in the page. */
  open(): void {
    if (this.opened) return this.fitSoon();
    this.opened = true;
    this.term.open(this.holder);
    this.fit();
    this.observer.observe(this.holder);
    this.channel = this.host.stream.channel(this.node, this.console, this);
  }

  /** Shown panes may use the GPU; a browser allows some sixteen contexts. */
  setVisible(on: boolean): void {
    this.element.classList.toggle("is-active", on);
    this.element.setAttribute("aria-hidden", on ? "false" : "true");
    this.element.inert = !on;
    if (!on) {
      this.gpu?.dispose();
      this.gpu = null;
    } else if (!this.gpu && this.opened) {
      void this.useGPU();
    }
  }

  dispose(): void {
    this.gone = true;
    clearTimeout(this.fitTimer);
    clearTimeout(this.resizeTimer);
    this.observer.disconnect();
    if (this.channel) this.host.stream.release(this.channel);
    this.term.dispose();
    this.element.remove();
  }

  focus(): void {
    this.term.focus();
  }

  setNode(n: NodeState): void {
    this.overlay.update(n);
  }

  restyle(): void {
    this.term.options.theme = terminalTheme(isDark());
    this.term.options.fontSize = snapped(settings.fontSize);
    this.term.options.screenReaderMode = settings.screenReader;
    this.fitSoon();
  }

  /** All that is kept of the output, as lines of plain text. */
  text(): string {
    const b = this.term.buffer.active;
    const lines: string[] = [];
    for (let y = 0; y < b.length; y++) {
      const line = b.getLine(y);
      if (!line) continue;
      const wraps = b.getLine(y + 1)?.isWrapped ?? false;
      const s = line.translateToString(!wraps);
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += s;
      else lines.push(s);
    }
    while (lines.length > 0 && lines[lines.length - 1] === "") lines.pop();
    return lines.join("\n");
  }

  /** Puts text at the prompt, as a paste: where the shell knows pastes, nothing runs before Enter. */
  paste(text: string): void {
    this.term.paste(text);
    this.term.scrollToBottom();
  }

  async copySelection(): Promise<void> {
    if (this.term.hasSelection()) await copy(this.term.getSelection());
    this.term.focus();
  }

  async openSearch(): Promise<void> {
    if (!this.search) {
      const { SearchAddon } = await import("@xterm/addon-search");
      if (this.gone) return;
      this.search ??= new SearchAddon();
      this.term.loadAddon(this.search);
    }
    const { searchBar } = await import("./searchbar.ts");
    this.searchBar ??= searchBar(this.search, this.term);
    if (!this.searchBar.isConnected) this.element.append(this.searchBar);
    const field = this.searchBar.querySelector("input")!;
    const selected = this.term.getSelection();
    if (selected && !selected.includes("\n")) field.value = selected;
    field.focus();
    field.select();
  }

  // ---- Screen: what the channel tells ----

  write(bytes: Uint8Array, done: () => void): void {
    this.term.write(bytes, done);
  }

  clear(): void {
    this.term.write("\x1bc"); // written, so that it keeps its place among the output
  }

  note(text: string): void {
    this.term.write(`\x1b[2m[patchbay] ${text}\x1b[0m\r\n`);
  }

  size(cols: number, rows: number): void {
    if (cols === this.term.cols && rows === this.term.rows) return;
    this.foreign = true;
    this.term.resize(cols, rows);
    this.showForeign(true);
  }

  replaying(on: boolean): void {
    this.replay = on;
  }

  // ---- Keys and sizes ----

  private typed(data: string): void {
    if (this.replay && isTerminalReply(data)) return;
    this.send(encoder.encode(data));
  }

  private send(bytes: Uint8Array): void {
    if (this.host.readonly || !this.channel) return;
    if (!this.channel.type(bytes)) this.note("too much input is waiting; the last was not taken");
  }

  private onKey(e: KeyboardEvent): boolean {
    // Whatever drives a browser from outside may send a key's character though
    // the key itself was taken already; a keyboard never does.
    if (e.type === "keydown") this.pressed = e;
    else if (e.type === "keypress" && this.pressed?.defaultPrevented) return false;
    if (e.type !== "keydown" || !e.ctrlKey || !e.shiftKey || e.altKey || e.metaKey) return true;
    if (e.code === "KeyC") {
      e.preventDefault();
      void this.copySelection();
      return false;
    }
    if (e.code === "KeyV") return false; // the browser pastes, xterm.js takes the paste
    if (this.host.shortcut(e)) {
      e.preventDefault();
      e.stopPropagation();
      return false;
    }
    return true;
  }

  private fitSoon(): void {
    this.fitTimer ??= setTimeout(() => {
      this.fitTimer = undefined;
      if (!this.foreign) this.fit();
    }, FIT_PAUSE);
  }

  private fit(): void {
    if (this.gone || this.holder.clientWidth < 20 || this.holder.clientHeight < 20) return;
    this.fitter.fit();
  }

  /** Takes the size back from another client as soon as this one is used. */
  private reclaim(): void {
    if (!this.foreign || this.host.readonly) return;
    this.foreign = false;
    this.showForeign(false);
    const before = `${this.term.cols}×${this.term.rows}`;
    this.fit();
    if (before === `${this.term.cols}×${this.term.rows}`) this.channel?.resize(this.term.cols, this.term.rows);
  }

  private showForeign(on: boolean): void {
    this.element.classList.toggle("is-foreign", on);
    this.element.querySelector(".pane-foreign")?.remove();
    if (!on || this.host.readonly) return;
    this.element.append(
      h(
        "div",
        { class: "pane-foreign" },
        "Sized by another window",
        button("Use this one's size", () => {
          this.reclaim();
          this.focus();
        }),
      ),
    );
  }

  /** A software renderer would be slower than the DOM; then the DOM it is. */
  private async useGPU(): Promise<void> {
    const probe = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
    if (!probe) return;
    probe.getExtension("WEBGL_lose_context")?.loseContext();
    const { WebglAddon } = await import("@xterm/addon-webgl");
    if (this.gone || this.gpu || this.element.inert) return;
    const addon = new WebglAddon();
    addon.onContextLoss(() => {
      addon.dispose();
      if (this.gpu === addon) this.gpu = null;
    });
    try {
      this.term.loadAddon(addon);
      this.gpu = addon;
    } catch {
      addon.dispose();
    }
  }
}

function fontFamily(): string {
  return getComputedStyle(document.documentElement).getPropertyValue("--mono").trim();
}

/**
 * The size nearest to the one wished for at which a character is a whole number
 * of pixels wide. Between those the GPU's cells are cut to the pixel below, up
 * to a tenth narrower than the type wants to be.
 */
function snapped(size: number): number {
  const c = document.createElement("canvas").getContext("2d");
  if (!c) return size;
  c.font = `100px ${fontFamily()}`;
  const width = c.measureText("0").width / 100; // of one character, in units of the size
  if (!(width > 0.3 && width < 1)) return size;
  return (Math.round(size * width) + 0.01) / width;
}

/** Links in a terminal come from a guest: they open only on purpose, and learn nothing of this page. */
function follow(e: MouseEvent, uri: string): void {
  if (!(e.ctrlKey || e.metaKey) || !/^https?:\/\//i.test(uri)) return;
  window.open(uri, "_blank", "noopener,noreferrer");
}
