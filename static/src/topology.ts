// The drawing of a lab: machines as faceplates, cables between their jacks,
// switches and hubs where several meet. It is drawn once per topology and
// from then on only coloured. The list beside it says the same in words.

import { interfaceItems, nodeItems, portWords, segmentItems, type Actor } from "./actions.ts";
import { menu } from "./dialog.ts";
import { attr, h, s, text } from "./dom.ts";
import { graph, leave, NODE, offsets, SEGMENT, signature, spread, type Box, type End, type Graph, type Point, type Spread } from "./graph.ts";
import { icon } from "./icons.ts";
import { placeLabels, type Line, type Rect, type Wish } from "./labels.ts";
import { topologyList } from "./list.ts";
import type { InterfaceState, NodeState, PortState, SegmentState, State } from "./protocol.ts";
import { look } from "./status.ts";
import { load, save } from "./store.ts";
import { segmentWords, warnings } from "./wire.ts";

const MARGIN = 18;
const SCALE = { least: 0.72, most: 1.2 }; // beyond these text is too small or silly
const LIVE = 900; // ms that a cable glows after a frame; counters come twice a second
const WARNED = 3000; // ms that a warning stays after its cause has gone, so that it can be read

interface DrawnEnd {
  end: End;
  jack: SVGGElement;
  state: SVGTextElement;
  cable: SVGLineElement; // this end's half of it
  whole: [Point, Point]; // the half, plugged
  frames: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Topology {
  private readonly stage = h("div", { class: "stage" });
  private readonly list = h("div", { class: "topology-list", hidden: true });
  private readonly toggle: HTMLButtonElement;
  private drawn = "";
  private graph: Graph = { boxes: [], cables: [] };
  private spread: Spread = { x: 1, y: 1 };
  private size = { width: 0, height: 0 };
  private svg: SVGSVGElement | null = null;
  private plates = new Map<string, SVGGElement>();
  private switches = new Map<string, SVGGElement>();
  private readonly warning = h("div", { class: "wire-warning", role: "status", "aria-live": "polite" });
  private warned = 0; // when the last warning was due
  private ends: DrawnEnd[] = [];
  private state: State | null = null;

  constructor(
    root: HTMLElement,
    private readonly options: Actor,
  ) {
    this.toggle = h("button", { type: "button", class: "tool", "data-action": "topology-view", onclick: () => this.setView(this.list.hidden !== false) });
    root.replaceChildren(h("div", { class: "topology-tools" }, this.toggle), this.warning, this.stage, this.list);
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.setView(load("patchbay.topology") === "list");
  }

  setState(st: State): void {
    this.warn(warnings(st, this.state));
    this.state = st;
    const sig = signature(st);
    if (sig !== this.drawn) {
      this.drawn = sig;
      this.graph = graph(st);
      this.draw();
    }
    this.colour(st);
    if (!this.list.hidden) topologyList(this.list, st, this.options);
  }

  /** Says what is wrong with the wire; the same words are not said twice. */
  private warn(sentences: string[]): void {
    const now = Date.now();
    if (sentences.length > 0) this.warned = now;
    else if (now - this.warned < WARNED) return;
    const all = sentences.join("\n");
    if (this.warning.dataset["says"] === all) return;
    this.warning.dataset["says"] = all;
    this.warning.replaceChildren(...sentences.map((t) => h("p", { class: "notice notice-wait" }, t)));
  }

  private setView(list: boolean): void {
    this.list.hidden = !list;
    this.stage.hidden = list;
    const label = list ? "Show the drawing" : "Show as a list";
    this.toggle.replaceChildren(icon(list ? "drawing" : "list"));
    attr(this.toggle, "title", label);
    attr(this.toggle, "aria-label", label);
    save("patchbay.topology", list ? "list" : "drawing");
    if (list && this.state) topologyList(this.list, this.state, this.options);
  }

  // ---- Drawing ----

  private draw(): void {
    this.spread = this.wanted();
    const { x, y } = this.spread;
    const g = { cables: this.graph.cables, boxes: this.graph.boxes.map((b) => ({ ...b, x: b.x * x, y: b.y * y })) };
    const boxes = new Map(g.boxes.map((b) => [b.id, b]));
    const focused = this.focusMark();
    for (const e of this.ends) clearTimeout(e.timer);
    this.ends = [];
    this.plates.clear();
    this.switches.clear();

    const cables = s("g");
    const segments = s("g");
    const nodes = s("g");
    const labels = s("g");
    const jacks = s("g");
    const beside = offsets(g.cables);
    const lines = g.cables.map((c, i) => run(boxes.get(c.from)!, boxes.get(c.to)!, beside[i]!));
    const wishes: Wish[] = [];
    const writers: ((r: Rect) => void)[] = [];
    const want = (w: Wish, write: (r: Rect) => void) => {
      wishes.push(w);
      writers.push(write);
    };
    g.cables.forEach((c, i) => {
      const { a, b } = lines[i]!;
      const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      this.drawEnd(c.a, a, c.b ? middle : b, b, [cables, labels, jacks], want);
      if (c.b) this.drawEnd(c.b, b, middle, a, [cables, labels, jacks], want);
    });
    g.cables.forEach((c, i) => {
      if (!c.b) return;
      const { a, b } = lines[i]!;
      const lines2 = [s("text", { class: "cable-name", "text-anchor": "middle" }, c.label)];
      if (c.wire) lines2.push(s("text", { class: "wire-words", "text-anchor": "middle" }, c.wire));
      labels.append(...lines2);
      const at = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      const width = Math.max(c.label.length * 6.2, c.wire.length * 6);
      want({ at, along: unit(a, b), width, height: 14 * lines2.length, middle: true }, (r) =>
        lines2.forEach((t, k) => put(t, r.x + r.width / 2, r.y + 11 + 14 * k)),
      );
    });
    for (const b of g.boxes) {
      if (b.kind === "node") nodes.append(this.drawNode(b));
      else segments.append(this.drawSegment(b));
    }
    placeLabels(wishes, g.boxes.map(footprint), lines).forEach((r, i) => writers[i]!(r));
    this.svg = s("svg", { class: "topology-svg", role: "group", "aria-label": "The lab's machines and cables" }, cables, segments, nodes, labels, jacks);
    this.stage.replaceChildren(this.svg);
    if (g.boxes.length === 0) this.stage.replaceChildren(h("p", { class: "muted" }, "This lab has no machines."));
    const b = extent(this.svg);
    this.size = { width: b.width + 2 * MARGIN, height: b.height + 2 * MARGIN };
    attr(this.svg, "viewBox", `${b.x - MARGIN} ${b.y - MARGIN} ${this.size.width} ${this.size.height}`);
    if (focused) this.svg.querySelector<SVGElement>(focused)?.focus();
    this.scale();
  }

  private wanted(): Spread {
    if (this.stage.clientWidth === 0) return this.spread;
    return spread(this.graph.boxes, this.stage.clientWidth - 2 * MARGIN, this.stage.clientHeight - 2 * MARGIN);
  }

  /** A selector for what has the focus, to give it back after a new drawing. */
  private focusMark(): string | null {
    const e = document.activeElement;
    if (!(e instanceof SVGElement) || !this.stage.contains(e)) return null;
    const name = ["data-node", "data-menu", "data-port", "data-segment"].find((n) => e.hasAttribute(n));
    return name ? `[${name}="${CSS.escape(e.getAttribute(name)!)}"]` : null;
  }

  private drawNode(b: Box): SVGGElement {
    const plate = s(
      "g",
      {
        class: "node",
        role: "button",
        tabindex: "0",
        "data-node": b.name,
        onclick: () => this.options.open(b.name),
        onkeydown: (e: KeyboardEvent) => {
          if (e.key === "Enter" || e.key === " ") this.options.open(b.name);
          else if (e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) this.nodeMenu(b.name, plate);
          else return;
          e.preventDefault();
        },
        oncontextmenu: (e: MouseEvent) => {
          e.preventDefault();
          this.nodeMenu(b.name, { x: e.clientX, y: e.clientY });
        },
      },
      s("title"),
      s("rect", { class: "plate", x: -NODE.width / 2, y: -NODE.height / 2, width: NODE.width, height: NODE.height, rx: 6 }),
      s("rect", { class: "plate-ear", x: -NODE.width / 2, y: -NODE.height / 2, width: 5, height: NODE.height, rx: 2 }),
      s("text", { class: "node-name", x: -NODE.width / 2 + 17, y: -2 }, short(b.name)),
      s("text", { class: "node-status", x: -NODE.width / 2 + 17, y: 14 }),
    );
    const more = s(
      "g",
      {
        class: "node-more",
        role: "button",
        tabindex: "0",
        "aria-haspopup": "menu",
        "aria-label": `Actions for ${b.name}`,
        "data-menu": b.name,
        transform: `translate(${NODE.width / 2 - 15} 0)`,
        onclick: () => this.nodeMenu(b.name, more),
        onkeydown: (e: KeyboardEvent) => press(e, () => this.nodeMenu(b.name, more)),
      },
      s("rect", { x: -12, y: -18, width: 24, height: 36, rx: 4 }),
      ...[-6, 0, 6].map((y) => s("circle", { cx: 0, cy: y, r: 1.7 })),
    );
    this.plates.set(b.name, plate);
    return s("g", { transform: `translate(${b.x} ${b.y})` }, plate, more);
  }

  private drawSegment(b: Box): SVGGElement {
    const { width: w, height: ht } = SEGMENT;
    const open = () => this.segmentMenu(b.name, box);
    const mtu = this.state?.segments?.find((g) => g.name === b.name)?.mtu ?? 1500;
    const box = s(
      "g",
      {
        class: "segment",
        transform: `translate(${b.x} ${b.y})`,
        role: "button",
        tabindex: "0",
        "aria-haspopup": "menu",
        "data-segment": b.name,
        onclick: open,
        onkeydown: (e: KeyboardEvent) => press(e, open),
        oncontextmenu: (e: MouseEvent) => {
          e.preventDefault();
          open();
        },
      },
      s("title"),
      s("rect", { x: -w / 2, y: -ht / 2, width: w, height: ht, rx: 4 }),
      s("path", { class: "segment-sign", d: b.kind === "node" ? "" : SIGNS[b.kind] }),
      s("text", { class: "segment-name", x: 0, y: ht / 2 + 14, "text-anchor": "middle" }, mtu === 1500 ? b.name : `${b.name}, mtu ${mtu}`),
    );
    this.switches.set(b.name, box);
    return box;
  }

  /** One end: its half of the cable, its jack, and what is written beside it. */
  private drawEnd(
    end: End,
    at: Point,
    half: Point,
    far: Point,
    [cables, labels, jacks]: [SVGGElement, SVGGElement, SVGGElement],
    want: (w: Wish, write: (r: Rect) => void) => void,
  ): void {
    const cable = s("line", { class: "cable" });
    cables.append(cable);
    const state = s("text", { class: "end-state" });
    const addresses = [
      ...end.addresses.map((a) => s("text", { class: "end-address" }, a)),
      ...(end.vlan ? [s("text", { class: "end-vlan" }, end.vlan)] : []),
      ...end.wire.map((w) => s("text", { class: "wire-words" }, w)),
    ];
    labels.append(state, ...addresses);
    const along = unit(at, far);
    // The name keeps room for the mark of a cable that is out or an interface that is down.
    const width = Math.max((end.interface.length + 2) * 6.9, ...addresses.map((t) => (t.textContent ?? "").length * 6.65));
    want({ at, along, width, height: 14 + 12.5 * addresses.length }, (r) => {
      // Towards the jack, so that a short name stays with it.
      const right = r.x + r.width / 2 < at.x;
      [state, ...addresses].forEach((t, i) => {
        put(t, right ? r.x + r.width : r.x, r.y + 11 + 12.5 * i);
        attr(t, "text-anchor", right ? "end" : "start");
      });
    });
    const open = () => this.endMenu(end, jack);
    const jack = s(
      "g",
      {
        class: "jack",
        role: "button",
        tabindex: "0",
        "aria-haspopup": "menu",
        "data-port": `${end.node}/${end.interface}`,
        onclick: open,
        onkeydown: (e: KeyboardEvent) => press(e, open),
        oncontextmenu: (e: MouseEvent) => {
          e.preventDefault();
          open();
        },
      },
      s("title"),
      s("circle", { class: "jack-reach", cx: at.x, cy: at.y, r: 12 }),
      s("circle", { class: "jack-ring", cx: at.x, cy: at.y, r: 5.5 }),
    );
    jacks.append(jack);
    this.ends.push({ end, jack, state, cable, whole: [at, half], frames: -1, timer: undefined });
  }

  // ---- Colouring ----

  private colour(st: State): void {
    const nodes = new Map((st.nodes ?? []).map((n) => [n.name, n]));
    for (const [name, plate] of this.plates) {
      const n = nodes.get(name);
      if (n) this.colourNode(plate, n);
    }
    const ports = portsOf(st);
    for (const g of st.segments ?? []) {
      const box = this.switches.get(g.name);
      if (box) colourSegment(box, g);
    }
    for (const e of this.ends) {
      const n = nodes.get(e.end.node);
      const i = n?.interfaces?.find((x) => x.name === e.end.interface);
      if (n && i) this.colourEnd(e, n, i, ports.get(`${e.end.node}/${e.end.interface}`));
    }
  }

  private colourNode(plate: SVGGElement, n: NodeState): void {
    const l = look(n.status);
    attr(plate, "data-status", n.status);
    attr(plate, "data-tone", l.tone);
    text(plate.querySelector(".node-status")!, `${l.symbol} ${l.word}`);
    const words = `${n.name}, ${l.word}${n.reason ? `: ${n.reason}` : ""}`;
    text(plate.querySelector("title")!, `${words}\nClick: terminal. Right click: actions.`);
    attr(plate, "aria-label", `${words}. Open its terminal`);
  }

  private colourEnd(e: DrawnEnd, n: NodeState, i: InterfaceState, p: PortState | undefined): void {
    const down = n.status !== "running" || !i.up;
    const state = i.plugged ? (down || i.carrier === false ? "down" : "up") : "unplugged";
    attr(e.jack, "data-state", state);
    attr(e.cable, "data-state", state);
    text(e.state, i.name + (i.plugged ? (n.status === "running" && !i.up ? " ↓" : "") : " ✕"));
    attr(e.state, "data-state", i.plugged ? "plugged" : "unplugged");
    const words = portWords(n, i, p);
    text(e.jack.querySelector("title")!, words);
    attr(e.jack, "aria-label", words);
    const [at, half] = e.whole;
    // An unplugged cable hangs a little away from its jack.
    const d = Math.hypot(half.x - at.x, half.y - at.y) || 1;
    const gap = i.plugged ? 0 : Math.min(26, d / 2) / d;
    attr(e.cable, "x1", String(at.x + (half.x - at.x) * gap));
    attr(e.cable, "y1", String(at.y + (half.y - at.y) * gap));
    attr(e.cable, "x2", String(half.x));
    attr(e.cable, "y2", String(half.y));

    const frames = p ? p.tx_frames + p.rx_frames : 0;
    if (e.frames >= 0 && frames > e.frames) {
      e.cable.classList.add("is-live");
      clearTimeout(e.timer);
      e.timer = setTimeout(() => e.cable.classList.remove("is-live"), LIVE);
    }
    e.frames = frames;
  }

  // ---- Sizes and menus ----

  /** The pane has another size: places move apart or together with it, in steps that the eye can follow. */
  private fit(): void {
    const w = this.wanted();
    const far = (a: number, b: number) => Math.abs(a - b) > 0.03;
    if (this.svg && (far(w.x, this.spread.x) || far(w.y, this.spread.y))) {
      this.draw();
      if (this.state) this.colour(this.state);
    } else {
      this.scale();
    }
  }

  /** As large as fits, within what is readable; what does not fit scrolls. */
  private scale(): void {
    if (!this.svg || this.stage.clientWidth === 0) return;
    const fits = Math.min(this.stage.clientWidth / this.size.width, this.stage.clientHeight / this.size.height);
    const scale = Math.min(SCALE.most, Math.max(SCALE.least, fits));
    attr(this.svg, "width", String(Math.floor(this.size.width * scale)));
    attr(this.svg, "height", String(Math.floor(this.size.height * scale)));
  }

  private nodeMenu(name: string, at: Element | Point): void {
    const n = this.state?.nodes?.find((x) => x.name === name);
    if (n) menu(at, name, nodeItems(n, this.options));
  }

  private endMenu(end: End, at: Element): void {
    const n = this.state?.nodes?.find((x) => x.name === end.node);
    const i = n?.interfaces?.find((x) => x.name === end.interface);
    if (!n || !i) return;
    menu(at, `${end.interface} of ${end.node}`, interfaceItems(n, i, portsOf(this.state!).get(`${end.node}/${end.interface}`), this.options));
  }

  private segmentMenu(name: string, at: Element): void {
    const g = this.state?.segments?.find((x) => x.name === name);
    if (!g) return;
    const plugged = (this.state?.nodes ?? []).some((n) => n.interfaces?.some((i) => i.segment === name && i.plugged));
    menu(at, name, segmentItems(g, plugged, this.options));
  }
}

const SIGNS: Record<Exclude<Box["kind"], "node">, string> = {
  switch: "M-13 -4H11M7 -8L11 -4L7 0M13 5H-11M-7 1L-11 5L-7 9",
  hub: "M-9 0H9M0 -7V7M-6.5 -5L6.5 5M6.5 -5L-6.5 5",
  uplink: "M-9 7H8A4 4 0 0 0 9 -1A5 5 0 0 0 0 -5A4.5 4.5 0 0 0 -8 -1A4 4 0 0 0 -9 7Z",
};

function colourSegment(box: SVGGElement, g: SegmentState): void {
  attr(box, "data-loop", g.loop ? "yes" : null);
  const words = segmentWords(g) + (g.loop ? ", a loop is flooding it" : "");
  text(box.querySelector("title")!, words);
  attr(box, "aria-label", words);
}

function portsOf(st: State): Map<string, PortState> {
  return new Map((st.segments ?? []).flatMap((g) => (g.ports ?? []).map((p) => [`${p.node}/${p.interface}`, p] as const)));
}

/** The straight run of a cable from box to box, moved aside where several run there. */
function run(from: Box, to: Box, beside: number): Line {
  const d = unit(from, to);
  const shift = (p: Point) => ({ x: p.x - d.y * beside, y: p.y + d.x * beside });
  return { a: shift(leave(from, to)), b: shift(leave(to, from)) };
}

function unit(a: Point, b: Point): Point {
  const d = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  return { x: (b.x - a.x) / d, y: (b.y - a.y) / d };
}

function put(t: SVGTextElement, x: number, y: number): void {
  attr(t, "x", x.toFixed(1));
  attr(t, "y", y.toFixed(1));
}

/** What labels must leave free; a segment's name below it counts. */
function footprint(b: Box): Rect {
  if (b.kind === "node") return { x: b.x - NODE.width / 2, y: b.y - NODE.height / 2, ...NODE };
  const width = Math.max(SEGMENT.width, b.name.length * 6.2);
  return { x: b.x - width / 2, y: b.y - SEGMENT.height / 2, width, height: SEGMENT.height + 18 };
}

/** What the drawing covers. A hidden drawing cannot be measured; its numbers then stand for it. */
function extent(svg: SVGSVGElement): { x: number; y: number; width: number; height: number } {
  const b = svg.getBBox();
  return b.width > 0 ? b : { x: -300, y: -150, width: 600, height: 300 };
}

function press(e: KeyboardEvent, f: () => void): void {
  if (e.key !== "Enter" && e.key !== " ") return;
  e.preventDefault();
  f();
}

function short(name: string): string {
  return name.length > 10 ? `${name.slice(0, 9)}…` : name;
}
