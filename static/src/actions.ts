// What can be done to a machine and to a cable, for the drawing's menus and the list.

import { ask, type MenuItem } from "./dialog.ts";
import type { InterfaceState, NodeState, Op, PortState } from "./protocol.ts";

export interface Actor {
  readonly: boolean;
  open: (node: string) => void;
  act: (op: Op) => void;
}

export function nodeItems(n: NodeState, by: Actor): (MenuItem | "line")[] {
  const open: MenuItem = { label: "Open terminal", id: "open", action: () => by.open(n.name) };
  if (by.readonly) return [open];
  const off = n.status === "off" || n.status === "failed";
  const op = (what: "start" | "stop" | "restart", label: string, disabled: boolean): MenuItem => ({
    label,
    id: what,
    disabled,
    action: () => by.act({ do: what, node: n.name }),
  });
  return [
    open,
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

export function interfaceItems(n: NodeState, i: InterfaceState, by: Actor): (MenuItem | "line")[] {
  const open: MenuItem = { label: `Terminal of ${n.name}`, id: "open", action: () => by.open(n.name) };
  if (by.readonly) return [open];
  const what = i.plugged ? "unplug" : "plug";
  return [
    {
      label: i.plugged ? "Unplug the cable" : "Plug the cable in",
      id: what,
      action: () => by.act({ do: what, node: n.name, interface: i.name }),
    },
    open,
  ];
}

/** An interface in words: for titles, screen readers and the list. */
export function portWords(n: NodeState, i: InterfaceState, p: PortState | undefined): string {
  const words = [`${i.name} of ${n.name}`, i.up && n.status === "running" ? "up" : "down", i.plugged ? "cable plugged in" : "no cable"];
  if (i.addresses?.length) words.push(`lab's address ${i.addresses.join(", ")}`);
  words.push(i.mac);
  if (p) words.push(`sent ${count(p.tx_frames)}, received ${count(p.rx_frames)}${p.drops ? `, dropped ${p.drops}` : ""}`);
  return words.join(", ");
}

function count(frames: number): string {
  return `${frames.toLocaleString("en")} ${frames === 1 ? "frame" : "frames"}`;
}
