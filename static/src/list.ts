// The topology as a list: the same as the drawing, in words.

import { interfaceItems, nodeItems, type Actor } from "./actions.ts";
import { menu } from "./dialog.ts";
import { button, h } from "./dom.ts";
import type { NodeState, State } from "./protocol.ts";
import { look } from "./status.ts";

/** Fills a container; it is only built anew when it would say something else. */
export function topologyList(into: HTMLElement, st: State, by: Actor): void {
  const nodes = st.nodes ?? [];
  const says = JSON.stringify([nodes.map((n) => [n.name, n.status, n.reason, n.interfaces]), (st.segments ?? []).map((g) => [g.name, g.kind])]);
  if (into.dataset["says"] === says) return;
  into.dataset["says"] = says;
  const focused = document.activeElement?.getAttribute("data-list");
  const kinds = new Map((st.segments ?? []).map((g) => [g.name, g.kind]));
  into.replaceChildren(
    h(
      "table",
      { class: "table" },
      h("caption", { class: "visually-hidden" }, "Machines and their interfaces"),
      h("thead", {}, h("tr", {}, ...["Machine", "Status", "Interfaces", "Actions"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...nodes.map((n) => row(n, kinds, by))),
    ),
  );
  if (focused) into.querySelector<HTMLElement>(`[data-list="${CSS.escape(focused)}"]`)?.focus();
}

function row(n: NodeState, kinds: Map<string, string>, by: Actor): HTMLElement {
  const l = look(n.status);
  const tone = l.tone === "off" ? "" : `badge-${l.tone}`;
  const interfaces = (n.interfaces ?? []).map((i) => {
    const where = i.segment ? `${kinds.get(i.segment) ?? ""} ${i.segment}` : "nothing";
    const state = i.plugged ? (i.up ? "up" : "down") : "unplugged";
    const id = `${n.name}/${i.name}`;
    return h(
      "li",
      {},
      button(
        i.name,
        () => menu(into(id), `${i.name} of ${n.name}`, interfaceItems(n, i, by)),
        { class: "button button-small button-quiet mono", "data-list": id, "aria-label": `${i.name} of ${n.name}: actions` },
      ),
      ` ${state}, to ${where}`,
      i.addresses?.length ? h("span", { class: "mono" }, ` ${i.addresses.join(" ")}`) : null,
    );
  });
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, button(n.name, () => by.open(n.name), { class: "button button-small button-quiet", "data-list": n.name, title: "Open its terminal" })),
    h("td", {}, h("span", { class: `badge ${tone}` }, l.word), n.reason ? h("p", { class: "small muted" }, n.reason) : null),
    h("td", {}, h("ul", { class: "plain" }, ...interfaces)),
    h("td", {}, button("Actions", () => menu(into(`${n.name} actions`), n.name, nodeItems(n, by)), { "data-list": `${n.name} actions`, "aria-haspopup": "menu", "aria-label": `Actions for ${n.name}` })),
  );
}

function into(id: string): Element {
  return document.querySelector(`[data-list="${CSS.escape(id)}"]`) ?? document.body;
}
