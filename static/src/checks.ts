// What a lab is checked for and what came of it: the server's JSON (see
// labs/grade), and what follows from it. Nothing here touches the page.

export type Outcome = "pass" | "fail" | "error" | "skipped";
export type Trust = "wire" | "disk" | "guest";

/** A check before it was tried. */
export interface Check {
  name: string;
  title: string;
  points: number;
  step?: string; // the id of a heading of the guide
  kind: string;
  trust: Trust;
  hint?: string;
}

export interface Result {
  check: string;
  title: string;
  step?: string;
  kind: string;
  trust: Trust;
  outcome: Outcome;
  points: number; // earned
  worth: number;
  expected?: string;
  seen?: string;
  hint?: string;
  look?: string;
  doubt?: string;
}

export interface Report {
  results: Result[] | null; // in the lab's order
  points: number;
  worth: number; // of the checks that could be judged
  errors?: number;
  warnings?: string[];
}

/** A line of the answer to a check: exactly one of them is set. */
export interface Line {
  result?: Result;
  report?: Report;
  error?: string;
}

/** What a browser keeps of a check. */
export interface Kept {
  at: number; // ms since 1970
  report: Report;
}

export const OUTCOMES: Record<Outcome, string> = {
  pass: "passed",
  fail: "failed",
  error: "not judged",
  skipped: "not tried",
};

export const TRUSTS: Record<Trust, string> = {
  wire: "It is seen on the wire: frames that the switch carries, or the answers that a machine of the server's own gets on your network. Whatever runs on your machines, it cannot pretend this.",
  disk: "It is read from the machine's disk from outside. It says what is really written there, and so what a restart brings back.",
  guest: "It is asked inside the machine, with programs of the lab's own image rather than those that lie on your disk.",
};

/** Where a step of the guide stands. */
export interface Step {
  passed: number;
  total: number;
  tried: number;
}

/** Counts the checks of each step; a check without one is in no step. */
export function steps(checks: Check[], results: Map<string, Result>): Map<string, Step> {
  const all = new Map<string, Step>();
  for (const c of checks) {
    if (!c.step) continue;
    const s = all.get(c.step) ?? { passed: 0, total: 0, tried: 0 };
    const r = results.get(c.name);
    s.total++;
    if (r) s.tried++;
    if (r?.outcome === "pass") s.passed++;
    all.set(c.step, s);
  }
  return all;
}

/** Checks that the list did not have but were tried: staff see more of them. */
export function completed(checks: Check[], results: Iterable<Result>): Check[] {
  const have = new Set(checks.map((c) => c.name));
  const more: Check[] = [];
  for (const r of results) {
    if (have.has(r.check)) continue;
    const c: Check = { name: r.check, title: r.title, points: r.worth, kind: r.kind, trust: r.trust };
    if (r.step) c.step = r.step;
    more.push(c);
  }
  return [...checks, ...more];
}

export function number(x: number): string {
  return String(Math.round(x * 1000) / 1000);
}

export function plural(n: number, one: string, many: string): string {
  return n === 1 ? `1 ${one}` : `${number(n)} ${many}`;
}

/** What a report comes to, in a sentence. */
export function summary(r: Report): string {
  const all = r.results ?? [];
  const n = (o: Outcome) => all.filter((x) => x.outcome === o).length;
  const words = [`${n("pass")} of ${plural(all.length, "check", "checks")} passed`];
  if (r.worth > 0) words[0] += `: ${number(r.points)} of ${plural(r.worth, "point", "points")}`;
  if (n("skipped")) words.push(`${n("skipped")} could not be tried yet`);
  if (n("error")) words.push(`${n("error")} could not be judged, which costs no points`);
  return `${words.join("; ")}.`;
}

/** A report that was kept, or null when that is none. */
export function kept(v: unknown): Kept | null {
  const k = v as Kept | null;
  if (typeof k?.at !== "number" || typeof k.report?.points !== "number" || typeof k.report.worth !== "number") return null;
  const results = k.report.results ?? [];
  if (!Array.isArray(results)) return null;
  const sound = results.every((r) => typeof r?.check === "string" && typeof r.title === "string" && Object.hasOwn(OUTCOMES, r.outcome) && Object.hasOwn(TRUSTS, r.trust));
  return sound ? k : null;
}

/** Reads JSON lines as they come. */
export async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += decoder.decode(value, { stream: !done });
    const all = rest.split("\n");
    rest = done ? "" : (all.pop() ?? "");
    for (const l of all) if (l.trim()) yield JSON.parse(l) as Line;
    if (done) return;
  }
}
