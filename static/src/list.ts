// The topology as a list: the same as the drawing, in words.

import { interfaceItems, nodeItems, segmentItems, type Actor } from "./actions.ts";
import { menu } from "./dialog.ts";
import { button, h } from "./dom.ts";
import type { EventState, NodeState, PortState, SegmentState, State } from "./protocol.ts";
import { look } from "./status.ts";
import { cableWords, eventWords, segmentWords, vlanWords } from "./wire.ts";

/** Fills a container; it is only built anew when it would say something else. */
export function topologyList(into: HTMLElement, st: State, by: Actor): void {
  const nodes = st.nodes ?? [];
  const says = JSON.stringify([nodes.map((n) => [n.name, n.status, n.reason, n.interfaces]), (st.segments ?? []).map((g) => [segmentWords(g), g.kind, g.loop, (g.ports ?? []).map((p) => [p.out, p.in])]), happened(st)]);
  if (into.dataset["says"] === says) return;
  into.dataset["says"] = says;
  const focused = document.activeElement?.getAttribute("data-list");
  const segments = st.segments ?? [];
  const kinds = new Map(segments.map((g) => [g.name, g.kind]));
  const ports = new Map(segments.flatMap((g) => (g.ports ?? []).map((p) => [`${p.node}/${p.interface}`, p] as const)));
  into.replaceChildren(
    h(
      "table",
      { class: "table" },
      h("caption", { class: "visually-hidden" }, "Machines and their interfaces"),
      h("thead", {}, h("tr", {}, ...["Machine", "Status", "Interfaces", "Actions"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...nodes.map((n) => row(n, kinds, ports, by))),
    ),
    h(
      "table",
      { class: "table" },
      h("caption", { class: "visually-hidden" }, "Segments"),
      h("thead", {}, h("tr", {}, ...["Segment", "Actions"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...segments.map((g) => segmentRow(g, nodes, by))),
    ),
    ...eventTable(happened(st)),
  );
  if (focused) into.querySelector<HTMLElement>(`[data-list="${CSS.escape(focused)}"]`)?.focus();
}

function row(n: NodeState, kinds: Map<string, string>, ports: Map<string, PortState>, by: Actor): HTMLElement {
  const l = look(n.status);
  const tone = l.tone === "off" ? "" : `badge-${l.tone}`;
  const interfaces = (n.interfaces ?? []).map((i) => {
    const where = i.segment ? `${kinds.get(i.segment) ?? ""} ${i.segment}` : "nothing";
    const state = i.plugged ? (i.up ? "up" : "down") : "unplugged";
    const p = ports.get(`${n.name}/${i.name}`);
    const wire = [vlanWords(i), ...cableWords(p)].filter((w) => w !== "");
    const id = `${n.name}/${i.name}`;
    return h(
      "li",
      {},
      button(
        i.name,
        () => menu(into(id), `${i.name} of ${n.name}`, interfaceItems(n, i, p, by)),
        { class: "button button-small button-quiet mono", "data-list": id, "aria-label": `${i.name} of ${n.name}: actions` },
      ),
      ` ${state}, to ${where}`,
      i.addresses?.length ? h("span", { class: "mono" }, ` ${i.addresses.join(" ")}`) : null,
      wire.length ? h("span", { class: "wire-note" }, ` ${wire.join("; ")}`) : null,
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

function segmentRow(g: SegmentState, nodes: NodeState[], by: Actor): HTMLElement {
  const id = `segment ${g.name}`;
  const plugged = nodes.some((n) => n.interfaces?.some((i) => i.segment === g.name && i.plugged));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, segmentWords(g)),
    h("td", {}, button("Actions", () => menu(into(id), g.name, segmentItems(g, plugged, by)), { "data-list": id, "aria-haspopup": "menu", "aria-label": `Actions for ${g.name}` })),
  );
}

/** The lab's events that have happened, the latest first. What is yet to come is not told. */
function happened(st: State): EventState[] {
  return (st.events ?? []).filter((e) => e.done > 0 && e.last).sort((a, b) => Date.parse(b.last!) - Date.parse(a.last!));
}

function eventTable(events: EventState[]): HTMLElement[] {
  if (events.length === 0) return [];
  const rows = events.map((e) =>
    h(
      "tr",
      {},
      h("td", {}, h("time", { datetime: e.last! }, new Date(e.last!).toLocaleTimeString())),
      h("td", {}, eventWords(e)),
      h("td", {}, e.done > 1 ? `${e.done} times` : "once"),
    ),
  );
  return [
    h(
      "table",
      { class: "table", id: "events" },
      h("caption", {}, "What the lab has done to its wires"),
      h("thead", {}, h("tr", {}, ...["Last", "What", "How often"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...rows),
    ),
  ];
}

function into(id: string): Element {
  return document.querySelector(`[data-list="${CSS.escape(id)}"]`) ?? document.body;
}
