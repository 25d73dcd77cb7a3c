import assert from "node:assert/strict";
import { test } from "node:test";
import { closed, standing, terms, type Submission, type Yours } from "../src/handin.ts";

const yours = (more: Partial<Yours> = {}): Yours => ({ phase: "open", attempts: 0, used: 0, ...more });

test("why nothing can be handed in", () => {
  const cases: [Yours, string][] = [
    [yours(), ""],
    [yours({ phase: "late", attempts: 2, used: 1 }), ""],
    [yours({ phase: "upcoming" }), "This assignment is not open yet."],
    [yours({ phase: "closed" }), "This assignment is closed: nothing is taken any more."],
    [yours({ attempts: 1, used: 1 }), "Your one attempt is used up."],
    [yours({ attempts: 3, used: 4 }), "All 3 attempts are used up."],
  ];
  for (const [y, want] of cases) assert.equal(closed(y), want);
});

test("what to know before handing in", () => {
  const late = "Late work loses 10 % for each day begun.";
  const when = (iso: string) => iso.slice(0, 10);
  const due = "2026-05-01T00:00:00Z";
  const cases: [Yours, string, string][] = [
    [yours(), late, "This is attempt 1; you have as many as you like."],
    [yours({ attempts: 3, used: 1, due }), late, `This is attempt 2 of 3. It is due on 2026-05-01. ${late}`],
    [yours({ phase: "late", due }), late, `This is attempt 1; you have as many as you like. It was due on 2026-05-01, so it is late. ${late}`],
    [yours({ due }), "", "This is attempt 1; you have as many as you like. It is due on 2026-05-01."],
  ];
  for (const [y, rule, want] of cases) assert.equal(terms(y, rule, when)[0], want);
});

test("what became of it", () => {
  const s = (more: Partial<Submission>): Submission => ({ id: 7, attempt: 2, state: "taking", ...more });
  const cases: [Submission, string][] = [
    [s({}), "It is being handed in."],
    [s({ progress: { step: "The running lab is checked.", done: 3, total: 7 } }), "The running lab is checked. (3 of 7)"],
    [s({ progress: { step: "The disks are copied.", done: 0, total: 0 } }), "The disks are copied."],
    [s({ state: "graded" }), "Attempt 2 is graded."],
    [s({ state: "graded", score: 7.5, worth: 10 }), "Attempt 2 is graded: 7.5 of 10 points."],
    [s({ state: "failed", error: "It took too long." }), "Attempt 2 could not be graded. It took too long."],
  ];
  for (const [x, want] of cases) assert.equal(standing(x), want);
  assert.match(standing(s({ state: "queued" })), /handed in.*fresh boot/);
});
