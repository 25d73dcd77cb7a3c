// The terminals of a lab: which are open, in which tabs and splits. The
// arrangement is a value (layout.ts); this draws it and takes the person's
// hand. Panes outlive every drawing.

import { menu, toast, type MenuItem } from "./dialog.ts";
import { attr, h } from "./dom.ts";
import { GroupView, type GroupHost } from "./group.ts";
import * as layout from "./layout.ts";
import type { Group, Key, Layout, Split } from "./layout.ts";
import { Pane, type PaneHost } from "./pane.ts";
import type { NodeState, Op, State } from "./protocol.ts";
import { separator } from "./separator.ts";
import { change, FONT_SIZES, onSettings, settings } from "./settings.ts";
import { load, save } from "./store.ts";
import type { Stream } from "./stream.ts";
import { onThemeChange } from "./theme.ts";

const TWO_COLUMNS = 1000; // px: two terminals of 60 columns and more beside each other

export interface TerminalsOptions {
  slug: string;
  stream: Stream;
  readonly: boolean;
  act: (op: Op) => void;
  help: () => void;
  check: (() => void) | null;
}

export class Terminals implements PaneHost, GroupHost {
  private layout: Layout | null = null; // null until the first state
  private readonly panes = new Map<Key, Pane>();
  private readonly views = new Map<number, GroupView>();
  private nodes = new Map<string, NodeState>();
  private shape = ""; // of the layout that is drawn
  private current: Key | null = null; // the terminal last used

  constructor(
    private readonly root: HTMLElement,
    private readonly options: TerminalsOptions,
  ) {
    onThemeChange(() => this.restyle());
    onSettings(() => this.restyle());
    root.addEventListener("focusin", (e) => {
      const pane = (e.target as Element).closest<HTMLElement>(".pane");
      if (pane) this.current = layout.keyOf(pane.dataset["node"]!, Number(pane.dataset["console"]));
    });
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey && e.shiftKey && !e.altKey && !e.metaKey && this.shortcut(e)) e.preventDefault();
    });
  }

  get stream(): Stream {
    return this.options.stream;
  }

  get readonly(): boolean {
    return this.options.readonly;
  }

  act(op: Op): void {
    this.options.act(op);
  }

  setState(s: State): void {
    const nodes = s.nodes ?? [];
    this.nodes = new Map(nodes.map((n) => [n.name, n]));
    if (!this.layout) {
      const columns = this.root.clientWidth >= TWO_COLUMNS ? 2 : 1;
      const stored = layout.parse(load(this.storageKey()), (k) => this.valid(k));
      this.set(stored ?? layout.initial(nodes.map((n) => n.name), columns), false);
    }
    for (const p of this.panes.values()) {
      const n = this.nodes.get(p.node);
      if (n) p.setNode(n);
    }
    for (const v of this.views.values()) v.setNodes(this.nodes);
  }

  /** Shows a node's terminal and puts the cursor into it. */
  show(node: string, console = 0): void {
    const key = layout.keyOf(node, console);
    if (!this.layout || !this.valid(key)) return;
    this.activate(key);
  }

  /** The node's terminal that was used last, or else its first. */
  type(node: string, text: string): void {
    const inUse = this.current && layout.parseKey(this.current).node === node ? this.current : layout.keyOf(node, 0);
    if (!this.valid(inUse)) return toast(`This lab has no machine ${node}.`, "error");
    this.activate(inUse);
    this.panes.get(inUse)?.paste(text);
  }

  /** A console's output as plain text, "" for one that is not open. */
  text(node: string, console = 0): string {
    return this.panes.get(layout.keyOf(node, console))?.text() ?? "";
  }

  // ---- What the person does ----

  activate(key: Key): void {
    this.set(layout.open(this.layout!, key, this.currentGroup()), true);
    this.current = key;
    this.panes.get(key)?.focus();
  }

  /** Activates without taking the cursor along, as arrow keys on the tabs do. */
  preview(key: Key): void {
    this.set(layout.open(this.layout!, key), true);
  }

  closeTab(key: Key): void {
    const g = layout.groupOf(this.layout!, key);
    this.panes.get(key)?.dispose();
    this.panes.delete(key);
    if (this.current === key) this.current = null;
    this.set(layout.close(this.layout!, key), true);
    const next = layout.groups(this.layout!).find((x) => x.id === g?.id)?.active;
    if (next) this.panes.get(next)?.focus();
  }

  moveTab(key: Key, group: number, index?: number): void {
    this.set(layout.move(this.layout!, key, group, index), true);
    this.panes.get(key)?.focus();
  }

  splitWith(group: number, kind: Split["kind"], key: Key): void {
    this.set(layout.split(this.layout!, group, kind, key), true);
    this.current = key;
    this.panes.get(key)?.focus();
  }

  /** Splits off the tab, or, where it is the only one, another terminal of its node. */
  splitOff(group: number, kind: Split["kind"]): void {
    const g = layout.groups(this.layout!).find((x) => x.id === group);
    if (!g?.active) return;
    const key = g.tabs.length > 1 ? g.active : this.nextConsole(layout.parseKey(g.active).node);
    if (key) this.splitWith(group, kind, key);
    else toast("All terminals of this machine are open already.");
  }

  /** The menu of terminals that can be opened in a group. */
  offer(group: number, at: Element): void {
    const items: MenuItem[] = [];
    for (const n of this.nodes.values()) {
      const key = this.nextConsole(n.name);
      if (!key) continue;
      items.push({ label: layout.titleOf(key), id: `open-${key}`, action: () => this.openIn(group, key) });
    }
    if (items.length === 0) toast("All terminals are open already.");
    else menu(at, "Open a terminal", items);
  }

  search(key: Key): void {
    void this.panes.get(key)?.openSearch();
  }

  shortcut(e: KeyboardEvent): boolean {
    if (!this.layout) return false;
    const all = layout.keys(this.layout);
    const now = this.current ?? all[0];
    const at = now ? all.indexOf(now) : -1;
    const digit = /^Digit([1-9])$/.exec(e.code)?.[1];
    const size = (by: number) => change({ fontSize: by === 0 ? FONT_SIZES.usual : settings.fontSize + by });
    const group = this.currentGroup();
    if (digit) {
      const key = all[Number(digit) - 1];
      if (key) this.activate(key);
    } else if (e.code === "ArrowRight" && all.length > 0) this.activate(all[(at + 1) % all.length]!);
    else if (e.code === "ArrowLeft" && all.length > 0) this.activate(all[(at - 1 + all.length) % all.length]!);
    else if (e.code === "ArrowUp" && now) this.focusTab(now);
    else if (e.code === "KeyF" && now) this.search(now);
    else if (e.code === "KeyE" && group !== undefined) this.splitOff(group, "row");
    else if (e.code === "KeyO" && group !== undefined) this.splitOff(group, "column");
    else if (e.code === "Equal" || e.code === "NumpadAdd") size(1);
    else if (e.code === "Minus" || e.code === "NumpadSubtract") size(-1);
    else if (e.code === "Digit0" || e.code === "Numpad0") size(0);
    else if (e.code === "Slash") this.options.help();
    else if (e.code === "Enter" && this.options.check) this.options.check();
    else return false;
    return true;
  }

  // ---- Drawing ----

  private set(l: Layout, remember: boolean): void {
    const focused = document.activeElement;
    this.layout = l;
    const live = new Set(layout.groups(l).map((g) => g.id));
    for (const [id, v] of this.views) {
      if (live.has(id)) continue;
      v.element.remove();
      this.views.delete(id);
    }
    // Moving a terminal in the document costs it a repaint: only when the
    // splits change is the tree built anew.
    const shape = layout.shape(l);
    if (shape === this.shape) for (const g of layout.groups(l)) this.drawGroup(g);
    else this.root.replaceChildren(this.draw(l));
    this.shape = shape;
    for (const g of layout.groups(l)) if (g.active) this.pane(g.active).open();
    for (const g of layout.groups(l)) {
      for (const key of g.tabs) this.panes.get(key)?.setVisible(key === g.active);
    }
    if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) {
      focused.focus({ preventScroll: true });
    }
    if (remember) save(this.storageKey(), l);
  }

  private draw(l: Layout): HTMLElement {
    if (l.kind === "group") return this.drawGroup(l);
    const box = h("div", { class: `split split-${l.kind}` });
    l.items.forEach((item, i) => {
      if (i > 0) box.append(this.between(l, i, box));
      const part = this.draw(item);
      part.style.flexGrow = String(l.sizes[i]);
      box.append(part);
    });
    return box;
  }

  private drawGroup(g: Group): HTMLElement {
    let view = this.views.get(g.id);
    if (!view) {
      view = new GroupView(g.id, this);
      this.views.set(g.id, view);
    }
    view.draw(g, this.nodes, g.active ? this.pane(g.active) : null, (k) => this.panes.get(k));
    return view.element;
  }

  /** The separator before a split's i-th part; it moves the sizes of its two neighbours. */
  private between(l: Split, i: number, box: HTMLElement): HTMLElement {
    const part = (n: number) => box.children[n * 2] as HTMLElement;
    const sum = l.sizes[i - 1]! + l.sizes[i]!;
    return separator({
      label: "Size of the terminals",
      between: l.kind === "row" ? "columns" : "rows",
      share: () => l.sizes[i - 1]! / sum,
      move: (share, done) => {
        l.sizes[i - 1] = sum * share;
        l.sizes[i] = sum * (1 - share);
        part(i - 1).style.flexGrow = String(l.sizes[i - 1]);
        part(i).style.flexGrow = String(l.sizes[i]);
        if (done && this.layout) save(this.storageKey(), this.layout);
      },
      area: () => {
        const a = part(i - 1).getBoundingClientRect();
        const b = part(i).getBoundingClientRect();
        return new DOMRect(a.left, a.top, b.right - a.left, b.bottom - a.top);
      },
    });
  }

  private pane(key: Key): Pane {
    let p = this.panes.get(key);
    if (!p) {
      p = new Pane(key, this);
      const n = this.nodes.get(p.node);
      if (n) p.setNode(n);
      this.panes.set(key, p);
    }
    return p;
  }

  private restyle(): void {
    for (const p of this.panes.values()) p.restyle();
  }

  private openIn(group: number, key: Key): void {
    this.set(layout.open(this.layout!, key, group), true);
    this.current = key;
    this.panes.get(key)?.focus();
  }

  private focusTab(key: Key): void {
    const g = layout.groupOf(this.layout!, key);
    if (g) this.views.get(g.id)?.focusTab(key);
  }

  private currentGroup(): number | undefined {
    const g = this.current ? layout.groupOf(this.layout!, this.current) : undefined;
    return (g ?? layout.groups(this.layout!)[0])?.id;
  }

  private nextConsole(node: string): Key | null {
    const open = new Set(layout.keys(this.layout!));
    for (let c = 0; c < (this.nodes.get(node)?.consoles ?? 0); c++) {
      const key = layout.keyOf(node, c);
      if (!open.has(key)) return key;
    }
    return null;
  }

  private valid(key: Key): boolean {
    const { node, console } = layout.parseKey(key);
    const n = this.nodes.get(node);
    return n !== undefined && Number.isInteger(console) && console >= 0 && console < n.consoles;
  }

  private storageKey(): string {
    return `patchbay.lab.${this.options.slug}.terminals`;
  }

  /** For the page's state: whether keystrokes go anywhere. */
  setConnected(on: boolean): void {
    attr(this.root, "data-connected", on ? "true" : "false");
  }
}
