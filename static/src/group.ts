// One group of terminals: a strip of tabs, after the WAI-ARIA tabs pattern,
// above the terminal that is shown.

import { attr, h, text } from "./dom.ts";
import { icon, type Icon } from "./icons.ts";
import { parseKey, titleOf, type Group, type Key } from "./layout.ts";
import type { Pane } from "./pane.ts";
import type { NodeState } from "./protocol.ts";
import { look } from "./status.ts";

export interface GroupHost {
  activate(key: Key): void;
  preview(key: Key): void;
  closeTab(key: Key): void;
  moveTab(key: Key, group: number, index?: number): void;
  splitWith(group: number, kind: "row" | "column", key: Key): void;
  splitOff(group: number, kind: "row" | "column"): void;
  offer(group: number, at: Element): void;
  search(key: Key): void;
}

// What is dragged; the drag's own data cannot be read before the drop.
let dragged: Key | null = null;

export class GroupView {
  readonly element: HTMLElement;
  private readonly tablist = h("div", { class: "tabs", role: "tablist", "aria-label": "Terminals" });
  private readonly panels = h("div", { class: "panels" });
  private tabs = new Map<Key, HTMLElement>(); // the tab's wrapper
  private group: Group | null = null;

  constructor(
    private readonly id: number,
    private readonly host: GroupHost,
  ) {
    const tool = (name: Icon, label: string, onclick: (e: MouseEvent) => void, action: string) =>
      h("button", { type: "button", class: "tool", title: label, "aria-label": label, "data-action": action, onclick }, icon(name));
    this.element = h(
      "section",
      { class: "group", "aria-label": "Terminals" },
      h(
        "div",
        { class: "tabstrip" },
        this.tablist,
        tool("plus", "Open a terminal", (e) => host.offer(id, e.currentTarget as Element), "open-terminal"),
        h("span", { class: "push" }),
        tool("search", "Search (Ctrl+Shift+F)", () => this.group?.active && host.search(this.group.active), "search"),
        tool("splitRight", "Split to the right (Ctrl+Shift+E)", () => host.splitOff(id, "row"), "split-right"),
        tool("splitDown", "Split below (Ctrl+Shift+O)", () => host.splitOff(id, "column"), "split-down"),
      ),
      this.panels,
    );
    this.tablist.addEventListener("keydown", (e) => this.onKey(e));
    this.takeDrops();
  }

  draw(g: Group, nodes: Map<string, NodeState>, active: Pane | null, pane: (k: Key) => Pane | undefined): void {
    this.group = g;
    const tabs = new Map<Key, HTMLElement>();
    for (const key of g.tabs) tabs.set(key, this.tabs.get(key) ?? this.tab(key));
    this.tabs = tabs;
    if (!same([...this.tablist.children], [...tabs.values()])) this.tablist.replaceChildren(...tabs.values());
    for (const [key, wrap] of tabs) {
      const on = key === g.active;
      wrap.classList.toggle("is-active", on);
      const tab = wrap.firstElementChild!;
      attr(tab, "aria-selected", String(on));
      attr(tab, "tabindex", on ? "0" : "-1");
    }
    const panels = g.tabs.map((k) => (k === g.active && active ? active : pane(k))?.element).filter((e) => e !== undefined);
    if (!same([...this.panels.children], panels)) this.panels.replaceChildren(...panels);
    if (g.tabs.length === 0) {
      this.panels.replaceChildren(h("p", { class: "panels-empty muted" }, "No terminal is open. Choose a machine in the drawing, or “+”."));
    }
    this.setNodes(nodes);
  }

  setNodes(nodes: Map<string, NodeState>): void {
    for (const [key, wrap] of this.tabs) {
      const n = nodes.get(parseKey(key).node);
      const l = look(n?.status ?? "off");
      const mark = wrap.querySelector<HTMLElement>(".mark")!;
      text(mark, l.symbol);
      attr(mark, "data-tone", l.tone);
      attr(wrap.firstElementChild!, "title", `${titleOf(key)}: ${l.word}`);
      attr(wrap.firstElementChild!, "aria-label", `${titleOf(key)}, ${l.word}`);
    }
  }

  focusTab(key: Key): void {
    (this.tabs.get(key)?.firstElementChild as HTMLElement | undefined)?.focus();
  }

  private tab(key: Key): HTMLElement {
    const { node, console } = parseKey(key);
    const title = titleOf(key);
    const wrap = h(
      "div",
      { class: "tab", role: "presentation", draggable: "true" },
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${key.replace("/", "-")}`,
          "aria-controls": `panel-${key.replace("/", "-")}`,
          "data-node": node,
          "data-console": console,
          onclick: () => this.host.activate(key),
        },
        h("span", { class: "mark", "aria-hidden": "true" }),
        title,
      ),
      h(
        "button",
        {
          type: "button",
          class: "tab-close",
          tabindex: "-1",
          title: "Close this view (Delete); the machine runs on",
          "aria-label": `Close ${title}`,
          onclick: () => this.host.closeTab(key),
        },
        icon("close"),
      ),
    );
    wrap.addEventListener("auxclick", (e) => e.button === 1 && this.host.closeTab(key));
    wrap.addEventListener("dragstart", (e) => {
      dragged = key;
      e.dataTransfer?.setData("text/plain", title);
    });
    wrap.addEventListener("dragend", () => (dragged = null));
    return wrap;
  }

  private onKey(e: KeyboardEvent): void {
    const g = this.group;
    if (!g?.active || e.ctrlKey || e.altKey || e.metaKey) return;
    const at = g.tabs.indexOf(g.active);
    const go = (i: number) => {
      const key = g.tabs[(i + g.tabs.length) % g.tabs.length]!;
      this.host.preview(key);
      this.focusTab(key);
    };
    if (e.key === "ArrowRight") go(at + 1);
    else if (e.key === "ArrowLeft") go(at - 1);
    else if (e.key === "Home") go(0);
    else if (e.key === "End") go(-1);
    else if (e.key === "Delete") this.host.closeTab(g.active);
    else if (e.key === "ArrowDown") this.host.activate(g.active);
    else return;
    e.preventDefault();
  }

  /** Tabs dropped on the strip move there; on the lower or right part of the panels, they split it. */
  private takeDrops(): void {
    const place = (e: DragEvent): "row" | "column" | "here" => {
      const r = this.panels.getBoundingClientRect();
      const x = (e.clientX - r.left) / r.width;
      const y = (e.clientY - r.top) / r.height;
      if (y < 0) return "here";
      if (x > 0.66 && x > y) return "row";
      return y > 0.6 ? "column" : "here";
    };
    this.element.addEventListener("dragover", (e) => {
      if (dragged === null) return;
      e.preventDefault();
      attr(this.element, "data-drop", place(e));
    });
    this.element.addEventListener("dragleave", () => attr(this.element, "data-drop", null));
    this.element.addEventListener("drop", (e) => {
      attr(this.element, "data-drop", null);
      const key = dragged;
      dragged = null;
      if (key === null || !this.group) return;
      e.preventDefault();
      const where = place(e);
      const alone = this.group.tabs.length === 1 && this.group.tabs[0] === key;
      if (where !== "here") {
        if (!alone) this.host.splitWith(this.id, where, key);
        return;
      }
      const over = (e.target as Element).closest(".tab");
      const index = over ? [...this.tablist.children].indexOf(over) : undefined;
      this.host.moveTab(key, this.id, index);
    });
  }
}

function same(a: Element[], b: Element[]): boolean {
  return a.length === b.length && a.every((e, i) => e === b[i]);
}
