import assert from "node:assert/strict";
import { test } from "node:test";
import * as layout from "../src/layout.ts";

const any = () => true;

test("titles and keys", () => {
  assert.equal(layout.titleOf(layout.keyOf("pc1", 0)), "pc1");
  assert.equal(layout.titleOf(layout.keyOf("pc1", 1)), "pc1 · 2");
  assert.deepEqual(layout.parseKey("a/b/3"), { node: "a/b", console: 3 });
});

test("the first arrangement has every node once", () => {
  const nodes = ["a", "b", "c"];
  for (const columns of [1, 2]) {
    const l = layout.initial(nodes, columns);
    assert.deepEqual(layout.keys(l), ["a/0", "b/0", "c/0"]);
    assert.equal(layout.groups(l).length, columns);
  }
  assert.deepEqual(layout.keys(layout.initial([], 2)), []);
});

test("open shows a terminal where it is, or adds it to the group asked for", () => {
  let l: layout.Layout = layout.initial(["a", "b"], 2);
  l = layout.open(l, "b/0", 1);
  assert.equal(layout.groupOf(l, "b/0")!.id, 2);
  l = layout.open(l, "a/1", 2);
  assert.deepEqual(layout.groups(l)[1]!.tabs, ["b/0", "a/1"]);
  assert.equal(layout.groups(l)[1]!.active, "a/1");
});

test("closing activates the neighbour, and the last tab's group goes", () => {
  let l: layout.Layout = layout.group(1, ["a/0", "b/0", "c/0"], "b/0");
  l = layout.close(l, "b/0");
  assert.equal(layout.groups(l)[0]!.active, "c/0");
  l = layout.split(l, 1, "row", "a/0");
  assert.equal(layout.groups(l).length, 2);
  l = layout.close(l, "a/0");
  assert.equal(l.kind, "group");
  l = layout.close(l, "c/0");
  assert.deepEqual(layout.keys(l), []);
});

test("splits of one direction join, and their sizes sum to one", () => {
  let l: layout.Layout = layout.group(1, ["a/0", "b/0", "c/0"]);
  l = layout.split(l, 1, "row", "b/0");
  l = layout.split(l, 1, "row", "c/0");
  assert.equal(l.kind, "row");
  if (l.kind === "group") return;
  assert.equal(l.items.length, 3);
  assert.ok(Math.abs(l.sizes.reduce((a, b) => a + b) - 1) < 1e-9);
  const m = layout.move(l, "a/0", layout.groupOf(l, "b/0")!.id, 0);
  assert.deepEqual(layout.groupOf(m, "b/0")!.tabs, ["a/0", "b/0"]);
  assert.equal(layout.groups(m).length, 2);
});

test("a stored arrangement comes back as it was", () => {
  let l: layout.Layout = layout.initial(["a", "b", "c", "d"], 2);
  l = layout.split(l, 2, "column", "d/0");
  const back = layout.parse(JSON.parse(JSON.stringify(l)), any);
  assert.deepEqual(layout.keys(back!), layout.keys(l));
  assert.equal(back!.kind, l.kind);
});

test("a stored arrangement that is not sound is not taken", () => {
  const deep = (n: number): unknown => (n === 0 ? { kind: "group", tabs: ["a/0"] } : { kind: "row", items: [deep(n - 1), { kind: "group", tabs: ["b/0"] }], sizes: [0.5, 0.5] });
  for (const bad of [
    null,
    3,
    "x",
    [],
    {},
    { kind: "group" },
    { kind: "group", tabs: [] },
    { kind: "row", items: [], sizes: [] },
    { kind: "row", items: [{ kind: "group", tabs: ["a/0"] }], sizes: ["1"] },
    { kind: "row", items: [{ kind: "group", tabs: ["a/0"] }], sizes: [NaN] },
    { kind: "heap", items: [{ kind: "group", tabs: ["a/0"] }], sizes: [1] },
    deep(20),
  ]) {
    assert.equal(layout.parse(bad, any), null, JSON.stringify(bad));
  }
});

test("a stored arrangement loses what the lab has no more, and what stands in it twice", () => {
  const l = layout.parse({ kind: "group", tabs: ["a/0", "gone/0", "a/0", 7, "b/0"], active: "gone/0" }, (k) => !k.startsWith("gone"));
  assert.deepEqual(layout.keys(l!), ["a/0", "b/0"]);
  assert.equal(layout.groups(l!)[0]!.active, "a/0");
});
