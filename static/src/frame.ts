// The lab page's panes: the guide beside the drawing above the terminals. Each
// of the first two can be put away; where there is little width, the guide is
// a drawer over the others. Sizes are remembered for all labs together.

import { attr, h } from "./dom.ts";
import { separator } from "./separator.ts";
import { load, save } from "./store.ts";
import { Tabs } from "./tabs.ts";

const KEY = "patchbay.frame";
const usual = { guide: 0.34, topology: 0.38, guideOpen: true, topologyOpen: true };

export class Frame {
  readonly element: HTMLElement;
  readonly work: HTMLElement;
  private readonly guidePane: HTMLElement;
  private readonly scrim: HTMLElement;
  private readonly sizes = read();
  private readonly narrow = matchMedia("(max-width: 900px)");
  private drawerOpen = false;
  private readonly tabs: Tabs | null = null;

  constructor(
    guide: HTMLElement,
    topology: HTMLElement,
    terminals: HTMLElement,
    checks: HTMLElement | null,
    private readonly onToggle: () => void,
  ) {
    const parent = guide.parentElement!;
    const scroll = h("div", { class: "guide-scroll" }, guide);
    this.guidePane = h("aside", { class: "guide-pane", id: "guide-pane", "aria-label": checks ? "Guide and checks" : "Guide" }, scroll);
    if (checks) {
      this.tabs = new Tabs("Guide and checks", [
        { id: "guide", label: "Guide", panel: scroll },
        { id: "checks", label: "Checks", panel: h("div", { class: "guide-scroll checks-scroll" }, checks) },
      ]);
      this.guidePane.replaceChildren(this.tabs.bar, ...this.tabs.panels);
    }
    this.scrim = h("div", { class: "scrim", hidden: true, onclick: () => this.toggleGuide() });
    this.work = h("div", { class: "work" }, topology, terminals);
    const [guideBar, topologyBar] = this.bars(topology);
    topology.after(topologyBar);
    this.element = h("div", { class: "frame" }, this.guidePane, guideBar, this.work, this.scrim);
    parent.replaceChildren(this.element);
    this.narrow.addEventListener("change", () => this.apply());
    addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.narrow.matches && this.drawerOpen && !document.querySelector("dialog[open], .menu")) this.toggleGuide();
    });
    this.apply();
  }

  get guideOpen(): boolean {
    return this.narrow.matches ? this.drawerOpen : this.sizes.guideOpen;
  }

  get topologyOpen(): boolean {
    return this.sizes.topologyOpen;
  }

  toggleGuide(): void {
    if (this.narrow.matches) this.drawerOpen = !this.drawerOpen;
    else this.sizes.guideOpen = !this.sizes.guideOpen;
    this.apply();
    if (this.narrow.matches && this.drawerOpen) this.guidePane.querySelector<HTMLElement>(`#${this.tabs?.chosen ?? "guide"}`)?.focus({ preventScroll: true });
    this.remember();
  }

  /** Shows the guide, or the checks in its place, and opens the pane for it. */
  showSide(which: "guide" | "checks"): void {
    this.tabs?.choose(which);
    if (this.guideOpen) return;
    if (this.narrow.matches) this.drawerOpen = true;
    else this.sizes.guideOpen = true;
    this.apply();
    if (this.narrow.matches) this.guidePane.querySelector<HTMLElement>(`#${which}`)?.focus({ preventScroll: true });
    this.remember();
  }

  /** What the tab of the checks says. */
  labelChecks(label: string, tone: string): void {
    this.tabs?.label("checks", label, tone);
  }

  /** Puts the drawer away, so that what the guide has just done can be seen. */
  leaveGuide(): void {
    if (this.narrow.matches && this.drawerOpen) this.toggleGuide();
  }

  toggleTopology(): void {
    this.sizes.topologyOpen = !this.sizes.topologyOpen;
    this.apply();
    this.remember();
  }

  private bars(topology: HTMLElement): [HTMLElement, HTMLElement] {
    const bar = (which: "guide" | "topology", label: string, area: () => DOMRect, least: number, most: number) =>
      separator({
        label,
        between: which === "guide" ? "columns" : "rows",
        least,
        most,
        share: () => this.sizes[which],
        move: (share, done) => {
          this.sizes[which] = share;
          this.apply();
          if (done) this.remember();
        },
        area,
        reset: () => {
          this.sizes[which] = usual[which];
          this.apply();
          this.remember();
        },
      });
    return [
      bar("guide", "Width of the guide", () => this.element.getBoundingClientRect(), 0.18, 0.7),
      bar("topology", "Height of the drawing", () => topology.parentElement!.getBoundingClientRect(), 0.12, 0.8),
    ];
  }

  private apply(): void {
    const e = this.element;
    e.style.setProperty("--guide-share", String(this.sizes.guide));
    e.style.setProperty("--topology-share", String(this.sizes.topology));
    attr(e, "data-guide", this.guideOpen ? "open" : "closed");
    attr(e, "data-topology", this.sizes.topologyOpen ? "open" : "closed");
    this.guidePane.inert = !this.guideOpen;
    this.scrim.hidden = !(this.narrow.matches && this.drawerOpen);
    this.onToggle();
  }

  private remember(): void {
    save(KEY, this.sizes);
  }
}

function read(): typeof usual {
  const o = (load(KEY) ?? {}) as Partial<typeof usual>;
  const share = (v: unknown, otherwise: number) => (typeof v === "number" && v > 0.1 && v < 0.9 ? v : otherwise);
  return {
    guide: share(o.guide, usual.guide),
    topology: share(o.topology, usual.topology),
    guideOpen: o.guideOpen !== false,
    topologyOpen: o.topologyOpen !== false,
  };
}
