// What lies over a terminal whose node does not run: why, and what can be done.

import { button, h } from "./dom.ts";
import type { NodeState, Op } from "./protocol.ts";

export class NodeOverlay {
  readonly element = h("div", { class: "node-overlay", role: "status", hidden: true });
  private shown = "";

  constructor(
    private readonly node: string,
    private readonly readonly: boolean,
    private readonly act: (op: Op) => void,
  ) {}

  update(n: NodeState): void {
    // Built anew only when it says something else: the details may be open.
    const now = JSON.stringify([n.status, n.reason, n.detail]);
    if (now === this.shown) return;
    this.shown = now;
    this.element.hidden = n.status === "running";
    this.element.className = `node-overlay is-${n.status}`;
    this.element.replaceChildren(...this.content(n));
  }

  private content(n: NodeState): Node[] {
    const start = (label: string) =>
      this.readonly
        ? []
        : [
            h(
              "div",
              { class: "actions" },
              button(label, () => this.act({ do: "start", node: this.node }), {
                class: "button button-small button-primary",
                "data-action": "start",
              }),
            ),
          ];
    switch (n.status) {
      case "off":
        return [h("p", {}, h("strong", {}, `${this.node} is switched off. `), n.reason ?? ""), ...start(`Start ${this.node}`)];
      case "failed": {
        const out: Node[] = [
          h("p", {}, h("strong", {}, `${this.node} has failed. `), n.reason ?? "It ended without saying why."),
          ...start("Start again"),
        ];
        if (n.detail) {
          out.push(h("details", {}, h("summary", {}, "The console's last lines"), h("pre", {}, n.detail)));
        }
        return out;
      }
      case "starting":
        return [h("p", {}, `${this.node} is being started …`)];
      case "booting":
        return [h("p", {}, `${this.node} is booting …`)];
      case "stopping":
        return [h("p", {}, `${this.node} is shutting down …`)];
      case "running":
        return [];
    }
  }
}
