// What a segment's way to the outside does, to read.

import { show } from "./dialog.ts";
import { h } from "./dom.ts";
import type { SegmentState } from "./protocol.ts";

/** Shows what an uplink reaches, has carried and has denied. */
export function uplinkDialog(g: SegmentState): void {
  const u = g.uplink ?? {};
  const s = u.stats;
  const denied = s?.denied ?? [];
  const content: HTMLElement[] = [];
  const say = (text: string) => content.push(h("p", {}, text));
  if (u.trouble) say(u.trouble);
  if (u.allow?.length) say(`Nodes may reach ${u.allow.join(", ")}.`);
  if (u.gateway) say(`Its router is ${u.gateway}: DHCP gives out addresses, and it answers DNS.`);
  if (s) say(`${s.flows} connections now, ${s.carried} so far, ${amount(s.bytes)} carried.`);
  if (s?.refused) say(`${s.refused} connections were beyond what an uplink carries at a time.`);
  if (s?.spent) say("It has carried as much as an uplink may, and carries nothing more until the lab is started anew.");
  if (s?.no_ping) say("This server lets no pings out.");
  if (denied.length > 0) {
    content.push(
      h(
        "table",
        { class: "table" },
        h("caption", {}, "Denied, the latest first"),
        h("thead", {}, h("tr", {}, ...["Destination", "Times", "Last"].map((t) => h("th", { scope: "col" }, t)))),
        h(
          "tbody",
          {},
          ...denied.map((d) =>
            h("tr", {}, h("th", { scope: "row", class: "mono" }, d.destination), h("td", {}, String(d.count)), h("td", {}, new Date(d.last).toLocaleTimeString())),
          ),
        ),
      ),
    );
  } else if (s) say("Nothing has been denied.");
  show(`${g.name}: to the outside`, ...content);
}

function amount(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
