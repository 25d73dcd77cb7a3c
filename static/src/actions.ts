// What can be done to a machine and to a cable, for the drawing's menus and the list.

import { ask, type MenuItem } from "./dialog.ts";
import { h } from "./dom.ts";
import { impairDialog } from "./impair.ts";
import type { InterfaceState, NodeState, Op, PortState, SegmentState } from "./protocol.ts";
import { uplinkDialog } from "./uplink.ts";
import { cableWords, vlanWords } from "./wire.ts";

export interface Actor {
  readonly: boolean;
  open: (node: string) => void;
  act: (op: Op) => void;
  /** The same, for who says themselves what went wrong. */
  attempt: (op: Op) => Promise<void>;
  /** The address of the rack in the API, "" before there is one. */
  rack: () => string;
}

export function nodeItems(n: NodeState, by: Actor): (MenuItem | "line")[] {
  const open: MenuItem = { label: "Open terminal", id: "open", action: () => by.open(n.name) };
  const pages = (n.publish ?? []).map((port): MenuItem => ({
    label: `Open its port ${port} ↗`,
    id: `publish-${port}`,
    disabled: by.rack() === "" || n.status !== "running",
    action: () => window.open(`${by.rack().replace("/api/v1", "")}/published/${encodeURIComponent(n.name)}/${port}`, "_blank", "noopener"),
  }));
  if (by.readonly) return [open, ...pages];
  const off = n.status === "off" || n.status === "failed";
  const op = (what: "start" | "stop" | "restart", label: string, disabled: boolean): MenuItem => ({
    label,
    id: what,
    disabled,
    action: () => by.act({ do: what, node: n.name }),
  });
  return [
    open,
    ...pages,
    "line",
    op("start", "Start", !off),
    op("stop", "Stop", off || n.status === "stopping"),
    op("restart", "Restart", n.status !== "running"),
    "line",
    { label: "Reset …", id: "reset", danger: true, action: () => void resetNode(n.name, by) },
  ];
}

async function resetNode(name: string, by: Actor): Promise<void> {
  const yes = await ask({
    title: `Reset ${name}?`,
    text: [
      `${name} starts again from the lab's beginning. Every file and setting that you changed on it is lost.`,
      "The other machines stay as they are.",
    ],
    action: `Reset ${name}`,
    danger: true,
  });
  if (yes) by.act({ do: "reset", node: name });
}

export function interfaceItems(n: NodeState, i: InterfaceState, p: PortState | undefined, by: Actor): (MenuItem | "line")[] {
  const open: MenuItem = { label: `Terminal of ${n.name}`, id: "open", action: () => by.open(n.name) };
  if (!i.segment) return [open];
  const capture = captureItem("Download its frames", { link: `${n.name}/${i.name}` }, by);
  if (by.readonly) return [open, capture];
  const what = i.plugged ? "unplug" : "plug";
  return [
    {
      label: i.plugged ? "Unplug the cable" : "Plug the cable in",
      id: what,
      action: () => by.act({ do: what, node: n.name, interface: i.name }),
    },
    {
      label: "Impair the cable …",
      id: "impair",
      action: () =>
        impairDialog(
          {
            title: `Cable of ${n.name} ${i.name}`,
            where: { node: n.name, interface: i.name },
            names: { out: `What ${n.name} sends`, in: `What ${n.name} gets` },
            now: { out: p?.out, in: p?.in },
          },
          by.attempt,
        ),
    },
    capture,
    "line",
    open,
  ];
}

export function segmentItems(g: SegmentState, plugged: boolean, by: Actor): (MenuItem | "line")[] {
  const capture = captureItem("Download its frames", { segment: g.name }, by);
  const look: MenuItem[] = g.uplink ? [{ label: "What it lets out …", id: "uplink", action: () => uplinkDialog(g) }, capture] : [capture];
  if (by.readonly) return look;
  const first = g.ports?.find((p) => p.out ?? p.in);
  const what = plugged ? "cut" : "restore";
  return [
    {
      label: plugged ? "Unplug all its cables" : "Plug all its cables in",
      id: what,
      action: () => by.act({ do: what, segment: g.name }),
    },
    {
      label: "Impair all its cables …",
      id: "impair",
      action: () =>
        impairDialog(
          {
            title: `All cables of ${g.name}`,
            where: { segment: g.name },
            names: { out: "What nodes send", in: "What nodes get" },
            now: { out: first?.out, in: first?.in },
          },
          by.attempt,
        ),
    },
    ...look,
  ];
}

/** Downloads what the rack still remembers of a cable or a segment. */
function captureItem(label: string, of: Record<string, string>, by: Actor): MenuItem {
  return {
    label,
    id: "capture",
    disabled: by.rack() === "",
    action: () => {
      const a = h("a", { href: `${by.rack()}/capture?${new URLSearchParams(of).toString()}`, download: true });
      document.body.append(a);
      a.click();
      a.remove();
    },
  };
}

/** An interface in words: for titles, screen readers and the list. */
export function portWords(n: NodeState, i: InterfaceState, p: PortState | undefined): string {
  const words = [`${i.name} of ${n.name}`, i.up && n.status === "running" ? "up" : "down", i.plugged ? "cable plugged in" : "no cable"];
  if (i.plugged && i.carrier === false) words.push("the other end's cable is out");
  const vlan = vlanWords(i);
  if (vlan) words.push(vlan);
  words.push(...cableWords(p).map((w) => w.replace(/^⇄/, "both ways").replace(/^out/, "sending").replace(/^in/, "getting")));
  if (i.addresses?.length) words.push(`lab's address ${i.addresses.join(", ")}`);
  words.push(i.mac);
  if (p) words.push(`sent ${count(p.tx_frames)}, received ${count(p.rx_frames)}${counts(p)}`);
  return words.join(", ");
}

/** What went wrong at a port, as far as anything did. */
function counts(p: PortState): string {
  const all: [string, number | undefined][] = [
    ["dropped", p.drops],
    ["lost", p.lost],
    ["not in its VLAN", p.filtered],
    ["too many broadcasts", p.storm],
    ["too large", p.giants],
  ];
  return all.map(([what, n]) => (n ? `, ${what} ${n.toLocaleString("en")}` : "")).join("");
}

function count(frames: number): string {
  return `${frames.toLocaleString("en")} ${frames === 1 ? "frame" : "frames"}`;
}
