import assert from "node:assert/strict";
import { test } from "node:test";
import { completed, kept, lines, steps, summary, type Check, type Outcome, type Result } from "../src/checks.ts";

const check = (name: string, step?: string): Check => ({ name, title: name, points: 1, kind: "ping", trust: "wire", ...(step ? { step } : {}) });
const result = (name: string, outcome: Outcome, more: Partial<Result> = {}): Result => ({
  check: name,
  title: name,
  kind: "ping",
  trust: "wire",
  outcome,
  points: outcome === "pass" ? 1 : 0,
  worth: 1,
  ...more,
});

test("a step is passed when all its checks are", () => {
  const all = [check("a", "one"), check("b", "one"), check("c", "two"), check("d")];
  const got = steps(all, new Map([result("a", "pass"), result("b", "fail"), result("d", "pass")].map((r) => [r.check, r])));
  assert.deepEqual([...got], [
    ["one", { passed: 1, total: 2, tried: 2 }],
    ["two", { passed: 0, total: 1, tried: 0 }],
  ]);
});

test("results that were not announced are listed, too", () => {
  const got = completed([check("a")], [result("a", "pass"), result("staff", "fail", { step: "one" })]);
  assert.deepEqual(got.map((c) => [c.name, c.step]), [["a", undefined], ["staff", "one"]]);
});

test("a report in a sentence", () => {
  const cases: [Outcome[], string][] = [
    [["pass", "fail"], "1 of 2 checks passed: 1 of 2 points."],
    [["pass"], "1 of 1 check passed: 1 of 1 point."],
    [["fail", "skipped"], "0 of 2 checks passed: 0 of 2 points; 1 could not be tried yet."],
    [["pass", "error"], "1 of 2 checks passed: 1 of 1 point; 1 could not be judged, which costs no points."],
    [["error"], "0 of 1 check passed; 1 could not be judged, which costs no points."],
  ];
  for (const [outcomes, want] of cases) {
    const results = outcomes.map((o, i) => result(String(i), o));
    const judged = results.filter((r) => r.outcome !== "error");
    const r = { results, points: judged.reduce((n, x) => n + x.points, 0), worth: judged.length };
    assert.equal(summary(r), want);
  }
});

test("what is kept is believed only when it is sound", () => {
  const good = { at: 1, report: { results: [result("a", "pass")], points: 1, worth: 1 } };
  assert.deepEqual(kept(good), good);
  assert.ok(kept({ at: 1, report: { results: null, points: 0, worth: 0 } }));
  for (const bad of [null, 7, "x", [], {}, { at: "1", report: good.report }, { at: 1, report: { results: 3, points: 1, worth: 1 } }, { at: 1, report: { results: [null], points: 1, worth: 1 } }, { at: 1, report: { results: [{ ...result("a", "pass"), outcome: "toString" }], points: 1, worth: 1 } }]) {
    assert.equal(kept(bad), null, JSON.stringify(bad));
  }
});

test("lines come as they are there, however they are cut", async () => {
  const text = new TextEncoder().encode('{"result":{"title":"é"}}\n\n{"error":"no"}');
  for (const size of [1, 3, 1000]) {
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        for (let i = 0; i < text.length; i += size) c.enqueue(text.slice(i, i + size));
        c.close();
      },
    });
    const got = [];
    for await (const l of lines(body)) got.push(l);
    assert.deepEqual(got, [{ result: { title: "é" } }, { error: "no" }]);
  }
});
