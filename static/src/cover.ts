// What stands over the drawing and the terminals while there is no lab to
// show: it starts, it could not start, it is stopped.

import { button, h } from "./dom.ts";

export interface CoverAction {
  label: string;
  action: () => void;
  id?: string;
}

export class Cover {
  /** What lies behind, out of reach while the cover is there. */
  behind: HTMLElement[] = [];
  readonly element = h("div", { class: "cover", id: "lab-cover", role: "status", hidden: true });

  /** Working: with a bar that moves. */
  busy(title: string, detail = ""): void {
    this.set("busy", title, detail, h("progress", { "aria-label": title }));
  }

  say(tone: "plain" | "error", title: string, detail: string, actions: CoverAction[]): void {
    this.set(
      tone,
      title,
      detail,
      h(
        "div",
        { class: "actions" },
        ...actions.map((a, i) => button(a.label, a.action, { class: i === 0 ? "button button-primary" : "button", "data-action": a.id })),
      ),
    );
  }

  hide(): void {
    if (this.element.hidden) return;
    for (const e of this.behind) e.inert = false;
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  private set(tone: string, title: string, detail: string, below: Node): void {
    this.element.className = `cover cover-${tone}`;
    this.element.replaceChildren(h("div", { class: "cover-card" }, h("h2", {}, title), detail ? h("p", {}, detail) : null, below));
    this.element.hidden = false;
    for (const e of this.behind) e.inert = true;
  }
}
