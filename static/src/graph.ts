// From a rack's state to a drawing's geometry: what the boxes and cables are
// and where they lie. The same topology always gives the same drawing.

import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from "d3-force";
import type { SegmentKind, State } from "./protocol.ts";
import { cableWords, vlanWords } from "./wire.ts";

export const NODE = { width: 116, height: 46 };
export const SEGMENT = { width: 46, height: 26 };

export interface Box extends SimulationNodeDatum {
  id: string; // "n:pc1" or "s:lan"
  name: string;
  kind: "node" | Exclude<SegmentKind, "link">;
  x: number;
  y: number;
}

/** One end of a cable at a node. */
export interface End {
  node: string;
  interface: string;
  addresses: string[];
  segment: string;
  vlan: string; // its part in VLANs, in words
  wire: string[]; // what its cable does to frames, in words
}

/** A cable: from a node to a switch or hub, or, as a point-to-point link, to another node. */
export interface Cable {
  a: End;
  b: End | null; // null: the other end is the segment's box
  from: string; // boxes' ids
  to: string;
  label: string; // a link's name
  wire: string; // what a link does to frames both ways alike, in words
}

export interface Graph {
  boxes: Box[];
  cables: Cable[];
}

/** What a drawing depends on; while it stays, nothing moves. */
export function signature(s: State): string {
  return JSON.stringify([
    (s.nodes ?? []).map((n) => [n.name, n.placed && [n.x, n.y], (n.interfaces ?? []).map((i) => [i.name, i.segment, i.addresses, vlanWords(i)])]),
    (s.segments ?? []).map((g) => [g.name, g.kind, g.mtu, g.placed && [g.x, g.y], (g.ports ?? []).map(cableWords)]),
  ]);
}

export function graph(s: State): Graph {
  const boxes: Box[] = [];
  const cables: Cable[] = [];
  const fixed = (o: { placed?: boolean; x?: number; y?: number }) => {
    if (!o.placed) return {};
    const x = (o.x ?? 0) * NODE.width;
    const y = (o.y ?? 0) * NODE.width;
    return { x, y, fx: x, fy: y };
  };
  // Undefined coordinates let d3 choose the start, which it does without chance.
  const box = (id: string, name: string, kind: Box["kind"], at: object) => boxes.push({ id, name, kind, ...at } as Box);

  const ports = new Map((s.segments ?? []).flatMap((g) => (g.ports ?? []).map((p) => [`${p.node}/${p.interface}`, p] as const)));
  const ends = new Map<string, End[]>();
  for (const n of s.nodes ?? []) {
    box(`n:${n.name}`, n.name, "node", fixed(n));
    for (const i of n.interfaces ?? []) {
      if (!i.segment) continue;
      const end = { node: n.name, interface: i.name, addresses: i.addresses ?? [], segment: i.segment, vlan: vlanWords(i), wire: cableWords(ports.get(`${n.name}/${i.name}`)) };
      ends.set(i.segment, [...(ends.get(i.segment) ?? []), end]);
    }
  }
  for (const g of s.segments ?? []) {
    const members = ends.get(g.name) ?? [];
    const [a, b] = members;
    if (g.kind === "link" && a && b && members.length === 2 && a.node !== b.node) {
      cables.push({ a, b, from: `n:${a.node}`, to: `n:${b.node}`, label: g.name, wire: alike(a, b) });
      continue;
    }
    box(`s:${g.name}`, g.name, g.kind === "link" ? "switch" : g.kind, fixed(g));
    for (const a of members) cables.push({ a, b: null, from: `n:${a.node}`, to: `s:${g.name}`, label: "", wire: "" });
  }
  arrange(boxes, cables);
  return { boxes, cables };
}

/** What a link does in both directions, said once and in its middle; its ends then say nothing. */
function alike(a: End, b: End): string {
  const [sent, back] = [a.wire[0], b.wire[0]];
  if (a.wire.length !== 1 || b.wire.length !== 1 || sent !== back || !sent?.startsWith("out ")) return "";
  a.wire = b.wire = [];
  return `⇄ ${sent.slice(4)}`;
}

const TICKS = 300;

function arrange(boxes: Box[], cables: Cable[]): void {
  if (boxes.every((b) => b.fx != null)) return;
  start(boxes, cables);
  const links = cables.map((c) => ({ source: c.from, target: c.to, long: c.b !== null }));
  const simulation = forceSimulation(boxes)
    .force(
      "link",
      forceLink<Box, (typeof links)[number]>(links)
        .id((b) => b.id)
        .distance((l) => (l.long ? 290 : 190)),
    )
    .force("charge", forceManyBody().strength(-1500))
    .force("collide", forceCollide<Box>((b) => (b.kind === "node" ? 90 : 55)))
    .force("x", forceX(0).strength(0.012))
    .force("y", forceY(0).strength(0.012))
    .alpha(0.6) // from a start without crossings, little has to move
    .stop();
  simulation.tick(TICKS);
  if (boxes.some((b) => b.fx != null)) return;
  layFlat(boxes);
  for (const b of boxes) {
    b.x = Math.round(b.x);
    b.y = Math.round(b.y);
  }
}

/**
 * Where forces begin: boxes stand in columns by their distance from one end of
 * the lab, so that a chain comes out as a chain. From d3's own spiral it would
 * come out as a knot.
 */
function start(boxes: Box[], cables: Cable[]): void {
  const near = new Map<string, string[]>(boxes.map((b) => [b.id, []]));
  for (const c of cables) {
    near.get(c.from)?.push(c.to);
    near.get(c.to)?.push(c.from);
  }
  const first = boxes[0]!.id;
  const end = near.get(first)!.length > 1 ? [...distances(first, near)].at(-1)![0] : first;
  const depths = distances(end, near);
  const column: number[] = [];
  for (const b of boxes) {
    if (b.fx != null) continue;
    const depth = depths.get(b.id) ?? 0; // an unconnected part starts on the left, too
    column[depth] = (column[depth] ?? 0) + 1;
    const nth = column[depth]!;
    b.x = depth * 180;
    b.y = (nth % 2 ? -1 : 1) * Math.floor(nth / 2) * 130;
  }
}

/** How many cables away each box is, in the order of the distance. */
function distances(from: string, near: Map<string, string[]>): Map<string, number> {
  const out = new Map([[from, 0]]);
  for (const [id, depth] of out) {
    for (const n of near.get(id) ?? []) if (!out.has(n)) out.set(n, depth + 1);
  }
  return out;
}

/** Turns a free drawing so that its long side lies level and its first node comes first. */
function layFlat(boxes: Box[]): void {
  const n = boxes.length;
  const mx = boxes.reduce((t, b) => t + b.x, 0) / n;
  const my = boxes.reduce((t, b) => t + b.y, 0) / n;
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (const b of boxes) {
    xx += (b.x - mx) ** 2;
    yy += (b.y - my) ** 2;
    xy += (b.x - mx) * (b.y - my);
  }
  const angle = -0.5 * Math.atan2(2 * xy, xx - yy);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (const b of boxes) {
    const [x, y] = [b.x - mx, b.y - my];
    b.x = x * cos - y * sin;
    b.y = x * sin + y * cos;
  }
  const first = boxes[0]!;
  if (first.x > 1) for (const b of boxes) b.x = -b.x;
  if (first.y > 1) for (const b of boxes) b.y = -b.y;
}

/** The factor by which places are pulled apart or together on each axis. */
export interface Spread {
  x: number;
  y: number;
}

// Closer than this, labels run into boxes; wider looks lost.
const SPREAD = { x: { least: 0.72, most: 1.25 }, y: { least: 0.55, most: 1.25 } };

/** How to spread a drawing over a width and height, boxes and letters keeping their size. */
export function spread(boxes: Box[], width: number, height: number): Spread {
  const axis = (at: (b: Box) => number, room: number, box: number, limit: { least: number; most: number }) => {
    const all = boxes.map(at);
    const span = Math.max(...all) - Math.min(...all);
    if (!(span > 0) || !(room > box)) return 1;
    return Math.min(limit.most, Math.max(limit.least, (room - box) / span));
  };
  return {
    x: axis((b) => b.x, width, NODE.width, SPREAD.x),
    y: axis((b) => b.y, height, NODE.height + 30, SPREAD.y),
  };
}

export interface Point {
  x: number;
  y: number;
}

/** Where the line from a box's middle towards another point leaves the box. */
export function leave(b: Box, towards: Point): Point {
  const size = b.kind === "node" ? NODE : SEGMENT;
  const dx = towards.x - b.x;
  const dy = towards.y - b.y;
  if (dx === 0 && dy === 0) return { x: b.x, y: b.y };
  const t = Math.min(size.width / 2 / Math.abs(dx), size.height / 2 / Math.abs(dy));
  return { x: b.x + dx * t, y: b.y + dy * t };
}

/** How far beside the straight line each cable runs: cables between the same two boxes lie side by side. */
export function offsets(cables: Cable[]): number[] {
  const pairs = new Map<string, number[]>();
  cables.forEach((c, i) => {
    const pair = [c.from, c.to].sort().join(" ");
    pairs.set(pair, [...(pairs.get(pair) ?? []), i]);
  });
  const out = cables.map(() => 0);
  for (const members of pairs.values()) {
    members.forEach((i, n) => {
      const c = cables[i]!;
      const side = c.from < c.to ? 1 : -1;
      out[i] = side * (n - (members.length - 1) / 2) * 26;
    });
  }
  return out;
}
