// Tabs over panels, by the usual keys: arrows, Home, End.

import { attr, h, text } from "./dom.ts";

export interface Tab {
  id: string;
  label: string;
  panel: HTMLElement;
}

export class Tabs {
  readonly bar: HTMLElement;
  readonly panels: HTMLElement[];
  chosen: string;
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    title: string,
    private readonly tabs: Tab[],
  ) {
    this.bar = h("div", { class: "side-tabs", role: "tablist", "aria-label": title });
    for (const t of tabs) {
      t.panel.id = `side-${t.id}`;
      attr(t.panel, "role", "tabpanel");
      attr(t.panel, "aria-labelledby", `tab-${t.id}`);
      const b = h("button", { type: "button", role: "tab", id: `tab-${t.id}`, "aria-controls": t.panel.id, onclick: () => this.choose(t.id) }, t.label);
      this.buttons.set(t.id, b);
      this.bar.append(b);
    }
    this.bar.addEventListener("keydown", (e) => {
      const at = tabs.findIndex((t) => t.id === this.chosen);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      const t = tabs[(to + tabs.length) % tabs.length]!;
      this.choose(t.id);
      this.buttons.get(t.id)?.focus();
    });
    this.panels = tabs.map((t) => t.panel);
    this.chosen = tabs[0]?.id ?? "";
    this.choose(this.chosen);
  }

  choose(id: string): void {
    this.chosen = id;
    for (const t of this.tabs) {
      const on = t.id === id;
      t.panel.hidden = !on;
      const b = this.buttons.get(t.id)!;
      attr(b, "aria-selected", String(on));
      attr(b, "tabindex", on ? "0" : "-1");
    }
  }

  label(id: string, words: string, tone: string): void {
    const b = this.buttons.get(id);
    if (!b) return;
    text(b, words);
    attr(b, "data-tone", tone);
  }
}
