// Where to write beside a cable: near its end, next to the line, and on
// nothing else. Each label is tried at a few places; the least bad one stays.

import type { Point } from "./graph.ts";

export interface Rect {
  x: number; // left
  y: number; // top
  width: number;
  height: number;
}

export interface Line {
  a: Point;
  b: Point;
}

export interface Wish {
  at: Point; // the cable's end, or its middle
  along: Point; // unit vector, away from the end
  width: number;
  height: number;
  middle?: boolean; // may lie to both sides of the point, not only along
}

const NEAR = 70; // px within which another cable's end makes a place worse: whose label is it?
const CLEAR = 4; // px between a label and what it is not to touch
const STEPS = [0.55, 0.8, 1.1, 1.5, 2.1]; // how far along, in the label's own half-lengths

export function placeLabels(wishes: Wish[], boxes: Rect[], lines: Line[]): Rect[] {
  const placed: Rect[] = [];
  for (const w of wishes) {
    const others = wishes.filter((o) => !o.middle && o !== w).map((o) => o.at);
    let best: Rect | null = null;
    let least = Infinity;
    for (const r of candidates(w)) {
      const cost =
        r.cost +
        sum(boxes, (b) => overlap(r, b) * 8) +
        sum(placed, (p) => overlap(r, p) * 8) +
        sum(lines, (l) => (crosses(r, l) ? 60 : 0)) +
        sum(others, (o) => Math.max(0, NEAR - Math.hypot(r.x + r.width / 2 - o.x, r.y + r.height / 2 - o.y)) * 0.5);
      if (cost < least) [best, least] = [r, cost];
    }
    placed.push(best!);
  }
  return placed;
}

function candidates(w: Wish): (Rect & { cost: number })[] {
  const out: (Rect & { cost: number })[] = [];
  const { x: ax, y: ay } = w.along;
  const reach = (w.width / 2) * Math.abs(ax) + (w.height / 2) * Math.abs(ay);
  const breadth = (w.width / 2) * Math.abs(ay) + (w.height / 2) * Math.abs(ax);
  const steps = w.middle ? [0, 0.7, -0.7, 1.4, -1.4] : STEPS;
  // The side above the line first, and for an upright line the right one.
  const sides = ax > 0 || (ax === 0 && ay < 0) ? [-1, 1] : [1, -1];
  sides.forEach((side, nth) => {
    for (const s of steps) {
      const along = reach * s + (w.middle ? 0 : 7);
      const aside = (breadth + CLEAR) * side;
      const cx = w.at.x + ax * along - ay * aside;
      const cy = w.at.y + ay * along + ax * aside;
      out.push({
        x: cx - w.width / 2,
        y: cy - w.height / 2,
        width: w.width,
        height: w.height,
        cost: Math.abs(s) * 10 + nth * 6,
      });
    }
  });
  return out;
}

/** The area that two rectangles share, a margin around the second included. */
export function overlap(a: Rect, b: Rect): number {
  const w = Math.min(a.x + a.width, b.x + b.width + CLEAR) - Math.max(a.x, b.x - CLEAR);
  const h = Math.min(a.y + a.height, b.y + b.height + CLEAR) - Math.max(a.y, b.y - CLEAR);
  return w > 0 && h > 0 ? w * h : 0;
}

/** Whether a line runs through a rectangle (Liang and Barsky's clipping). */
export function crosses(r: Rect, l: Line): boolean {
  const dx = l.b.x - l.a.x;
  const dy = l.b.y - l.a.y;
  let from = 0;
  let to = 1;
  for (const [p, q] of [
    [-dx, l.a.x - r.x],
    [dx, r.x + r.width - l.a.x],
    [-dy, l.a.y - r.y],
    [dy, r.y + r.height - l.a.y],
  ] as const) {
    if (p === 0) {
      if (q < 0) return false;
    } else if (p < 0) {
      from = Math.max(from, q / p);
    } else {
      to = Math.min(to, q / p);
    }
  }
  return from <= to;
}

function sum<T>(all: T[], f: (t: T) => number): number {
  return all.reduce((total, t) => total + f(t), 0);
}
