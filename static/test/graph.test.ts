import assert from "node:assert/strict";
import { test } from "node:test";
import { graph, leave, NODE, offsets, signature, spread, type Box } from "../src/graph.ts";
import { crosses, overlap, placeLabels } from "../src/labels.ts";
import type { NodeState, SegmentKind, State } from "../src/protocol.ts";
import { isTerminalReply } from "../src/replies.ts";
import { state } from "./wire.ts";

/** A lab from words: "a-lan b-lan" joins a and b to the segment lan. */
function lab(words: string, kinds: Record<string, SegmentKind> = {}): State {
  const nodes = new Map<string, NodeState>();
  const segments = new Set<string>();
  for (const w of words.split(" ")) {
    const [name, segment] = w.split("-") as [string, string];
    const n = nodes.get(name) ?? { name, status: "running", image: "", kernel: "", memory: 0, consoles: 1, interfaces: [] };
    n.interfaces!.push({ name: `eth${n.interfaces!.length}`, segment, mac: "", up: true, plugged: true, addresses: ["10.0.0.1/24"] });
    nodes.set(name, n);
    segments.add(segment);
  }
  return {
    ...state("now"),
    nodes: [...nodes.values()],
    segments: [...segments].map((name) => ({ name, kind: kinds[name] ?? "switch", ports: [] })),
  };
}

const chain = lab("pc1-l1 r1-l1 r1-w r2-w r2-l2 pc2-l2", { w: "link" });

test("links join nodes, switches and hubs are boxes", () => {
  const g = graph(chain);
  assert.deepEqual(g.boxes.map((b) => b.id).sort(), ["n:pc1", "n:pc2", "n:r1", "n:r2", "s:l1", "s:l2"]);
  assert.equal(g.cables.length, 5);
  assert.equal(g.cables.filter((c) => c.b).length, 1);
});

test("the same lab is drawn the same way, a chain as a chain", () => {
  const g = graph(chain);
  assert.deepEqual(graph(structuredClone(chain)).boxes.map((b) => [b.x, b.y]), g.boxes.map((b) => [b.x, b.y]));
  const x = (id: string) => g.boxes.find((b) => b.id === id)!.x;
  const order = ["n:pc1", "s:l1", "n:r1", "n:r2", "s:l2", "n:pc2"].map(x);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
});

test("boxes do not lie on each other", () => {
  for (const words of ["a-x b-x c-x d-x e-x f-x", "a-x b-x b-y c-y c-z a-z", "a-x b-y", "a-x"]) {
    const boxes = graph(lab(words)).boxes;
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) {
        const apart = Math.abs(a.x - b.x) > NODE.width / 2 || Math.abs(a.y - b.y) > NODE.height / 2;
        assert.ok(apart, `${words}: ${a.id} and ${b.id}`);
        assert.ok(Number.isFinite(a.x + a.y + b.x + b.y));
      }
    }
  }
});

test("the author's places are kept", () => {
  const s = lab("a-x b-x");
  for (const [i, n] of s.nodes!.entries()) Object.assign(n, { placed: true, x: i * 3, y: i });
  const b = graph(s).boxes.find((b) => b.id === "n:b")!;
  assert.deepEqual([b.x, b.y], [3 * NODE.width, NODE.width]);
});

test("status and counters do not change what a drawing depends on; cables do", () => {
  const other = structuredClone(chain);
  other.nodes![0]!.status = "failed";
  other.nodes![0]!.interfaces![0]!.plugged = false;
  assert.equal(signature(other), signature(chain));
  other.nodes![0]!.interfaces![0]!.segment = "l2";
  assert.notEqual(signature(other), signature(chain));
});

test("cables between the same boxes run side by side", () => {
  const g = graph(lab("a-x b-x a-y b-y", { x: "link", y: "link" }));
  const [p, q] = offsets(g.cables) as [number, number];
  assert.equal(p + q, 0);
  assert.notEqual(p, 0);
});

test("a cable leaves its box at the edge", () => {
  const box: Box = { id: "n:a", name: "a", kind: "node", x: 0, y: 0 };
  assert.deepEqual(leave(box, { x: 500, y: 0 }), { x: NODE.width / 2, y: 0 });
  assert.deepEqual(leave(box, { x: 0, y: -500 }), { x: 0, y: -NODE.height / 2 });
});

test("places spread within their limits", () => {
  const boxes = graph(chain).boxes;
  assert.ok(spread(boxes, 100, 100).x >= 0.5);
  assert.ok(spread(boxes, 1e6, 1e6).x <= 1.5);
  assert.deepEqual(spread([boxes[0]!], 500, 500), { x: 1, y: 1 });
});

test("labels lie beside their cable and on nothing", () => {
  const boxes = [{ x: -58, y: -23, width: 116, height: 46 }, { x: 242, y: -23, width: 116, height: 46 }];
  const line = { a: { x: 58, y: 0 }, b: { x: 242, y: 0 } };
  const size = { width: 80, height: 27 };
  const [p, q] = placeLabels(
    [
      { at: line.a, along: { x: 1, y: 0 }, ...size },
      { at: line.b, along: { x: -1, y: 0 }, ...size },
    ],
    boxes,
    [line],
  ) as [(typeof boxes)[0], (typeof boxes)[0]];
  for (const r of [p, q]) {
    assert.equal(crosses(r, line), false);
    for (const b of boxes) assert.equal(overlap(r, b), 0);
  }
  assert.equal(overlap(p, q), 0);
  assert.ok(p.x < q.x);
});

test("a terminal's answers are told from what a person types", () => {
  for (const s of ["\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[12;40R", "\x1b[0n", "\x1b[?2026;2$y", "\x1bP>|xterm.js(6.0.0)\x1b\\", "\x1b]11;rgb:0000/0000/0000\x1b\\"]) {
    assert.ok(isTerminalReply(s), JSON.stringify(s));
  }
  for (const s of ["", "c", "ls\r", "\x1b[A", "\x1b[1;5C", "\x1bOP", "\x1b[3~", "\x1b[200~x\x1b[201~", "\x1b", "\x03"]) {
    assert.ok(!isTerminalReply(s), JSON.stringify(s));
  }
});
