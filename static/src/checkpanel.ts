// The panel of checks beside the guide: runs them, shows each result as it
// comes, and remembers the last ones.

import { APIError } from "./api.ts";
import { completed, kept, lines, number, OUTCOMES, plural, steps, summary, TRUSTS, type Check, type Report, type Result, type Step, type Trust } from "./checks.ts";
import { sentence, show } from "./dialog.ts";
import { attr, button, h, text } from "./dom.ts";
import { icon } from "./icons.ts";
import { load, save } from "./store.ts";

export interface PanelOptions {
  steps: Map<string, string>; // the guide's headings by id
  toStep: (id: string) => void;
  reveal: () => void; // brings the panel to the front
  onSteps: (all: Map<string, Step>) => void;
  onCount: (passed: number, total: number, busy: boolean) => void;
}

export class CheckPanel {
  readonly element = h("section", { class: "checks", id: "checks", "aria-label": "Checks", tabindex: "-1" });
  private readonly list = h("div", { class: "check-groups" });
  private readonly total = h("p", { class: "checks-total", id: "checks-total" });
  private readonly when = h("p", { class: "muted small", id: "checks-when" });
  private readonly warnings = h("div", {});
  private readonly bar = h("progress", { hidden: true, "aria-label": "Checking" });
  private readonly problem = h("p", { class: "notice notice-error", role: "alert", hidden: true });
  private readonly said = h("p", { class: "visually-hidden", role: "status", id: "checks-said" });
  private readonly go = button("Check", () => void this.run(), { id: "run-checks", class: "button button-primary" });
  private readonly cancel = button("Stop checking", () => this.running?.abort(), { id: "stop-checks", class: "button", hidden: true });
  private checks: Check[] = [];
  private results = new Map<string, Result>();
  private drawn = new Map<string, HTMLElement>();
  private running: AbortController | null = null;
  private rack = "";
  private started = ""; // when the rack was
  private last: Report | null = null;
  private at = 0;
  private ready = false;

  constructor(private readonly o: PanelOptions) {
    this.element.append(
      h("div", { class: "checks-head" }, h("div", { class: "actions" }, this.go, this.cancel), this.total, this.when, this.bar, this.problem, this.said),
      this.warnings,
      this.list,
    );
    this.draw();
    setInterval(() => this.drawWhen(), 20_000);
  }

  get busy(): boolean {
    return this.running !== null;
  }

  /** Says which rack is checked. Its checks are fetched, and what was found last is shown. */
  async use(rack: string): Promise<void> {
    if (this.rack === rack) return;
    this.rack = rack;
    const k = kept(load(this.key()));
    if (k) this.take(k.report, k.at);
    try {
      const r = await fetch(`/api/v1/racks/${encodeURIComponent(rack)}/checks`, { headers: { Accept: "application/json" }, redirect: "error" });
      if (!r.ok) throw new Error(`The server answered ${r.status}.`);
      this.checks = (await r.json()) as Check[];
      this.draw();
    } catch (e) {
      this.complain(`The list of checks did not come. ${sentence(e)}`);
    }
  }

  /** Whether the lab runs and is connected. */
  setReady(ready: boolean, started = this.started): void {
    this.ready = ready;
    this.started = started;
    this.drawHead();
  }

  /** Checks the lab. */
  async run(): Promise<void> {
    this.o.reveal();
    if (this.running) return;
    if (!this.ready) return this.complain("The lab is not running. Start it first, then check it.");
    const stop = new AbortController();
    this.running = stop;
    this.problem.hidden = true;
    this.last = null;
    this.results.clear();
    this.warnings.replaceChildren();
    this.draw();
    text(this.said, "The lab is being checked.");
    try {
      this.take(await this.ask(stop.signal), Date.now());
      save(this.key(), { at: this.at, report: this.last });
      text(this.said, summary(this.last!));
    } catch (e) {
      if (stop.signal.aborted) text(this.said, "Checking was stopped.");
      else this.complain(sentence(e));
    } finally {
      this.running = null;
      this.draw();
    }
  }

  private async ask(signal: AbortSignal): Promise<Report> {
    let r: Response;
    try {
      r = await fetch(`/api/v1/racks/${encodeURIComponent(this.rack)}/check`, { method: "POST", signal, headers: { Accept: "application/x-ndjson, application/json" }, redirect: "error" });
    } catch (e) {
      if (signal.aborted) throw e;
      throw new APIError("The server cannot be reached. Are you online?", 0);
    }
    if (!r.ok || !r.body) {
      const said = ((await r.json().catch(() => null)) as { error?: unknown } | null)?.error;
      throw new APIError(typeof said === "string" ? said : `The server answered ${r.status}.`, r.status);
    }
    for await (const l of lines(r.body)) {
      if (l.error) throw new Error(l.error);
      if (l.report) return l.report;
      if (l.result) this.add(l.result);
    }
    throw new Error("The connection was lost before all checks were done. Check again.");
  }

  private add(r: Result): void {
    this.results.set(r.check, r);
    const old = this.drawn.get(r.check);
    const c = this.checks.find((c) => c.name === r.check);
    if (!old || !c) return this.draw();
    const item = this.item(c);
    old.replaceWith(item);
    this.drawn.set(r.check, item);
    this.drawHead();
  }

  private take(r: Report, at: number): void {
    this.last = r;
    this.at = at;
    this.results = new Map((r.results ?? []).map((x) => [x.check, x]));
    this.draw();
  }

  private complain(why: string): void {
    text(this.problem, why);
    this.problem.hidden = false;
  }

  private key(): string {
    return `patchbay.rack.${this.rack}.checks`;
  }

  // ---- Drawing ----

  private draw(): void {
    this.checks = completed(this.checks, this.results.values());
    const groups = new Map<string, Check[]>();
    for (const id of this.o.steps.keys()) if (this.checks.some((c) => c.step === id)) groups.set(id, []);
    for (const c of this.checks) {
      const id = c.step && this.o.steps.has(c.step) ? c.step : "";
      groups.set(id, [...(groups.get(id) ?? []), c]);
    }
    const open = new Set([...this.list.querySelectorAll<HTMLDetailsElement>("details[open]")].map((d) => d.dataset["key"]));
    this.drawn.clear();
    this.list.replaceChildren(
      ...[...groups].flatMap(([id, checks]) => [
        id ? h("h3", { class: "check-step" }, h("button", { type: "button", class: "linklike", onclick: () => this.o.toStep(id) }, this.o.steps.get(id) ?? id)) : groups.size > 1 ? h("h3", { class: "check-step" }, "All through the lab") : "",
        h("ul", { class: "check-list" }, ...checks.map((c) => this.item(c))),
      ]),
    );
    for (const d of this.list.querySelectorAll<HTMLDetailsElement>("details")) if (open.has(d.dataset["key"])) d.open = true;
    this.warnings.replaceChildren(...(this.last?.warnings ?? []).map((w) => h("p", { class: "notice notice-wait" }, w)));
    this.drawHead();
  }

  private drawHead(): void {
    const all = this.checks.length;
    const passed = [...this.results.values()].filter((r) => r.outcome === "pass").length;
    this.go.hidden = this.busy;
    this.cancel.hidden = !this.busy;
    this.go.disabled = !this.ready;
    text(this.go, this.results.size > 0 ? "Check again" : "Check");
    this.bar.hidden = !this.busy;
    attr(this.bar, "max", String(Math.max(1, all)));
    attr(this.bar, "value", String(this.results.size));
    if (this.busy) text(this.total, `Checking: ${this.results.size} of ${all} done`);
    else if (this.last) text(this.total, summary(this.last));
    else if (this.results.size > 0) text(this.total, `Stopped after ${this.results.size} of ${plural(all, "check", "checks")}.`);
    else text(this.total, `${plural(all, "check", "checks")}, not tried yet.`);
    this.drawWhen();
    this.o.onSteps(steps(this.checks, this.results));
    this.o.onCount(passed, all, this.busy);
  }

  private drawWhen(): void {
    const words: string[] = [];
    if (!this.ready && !this.busy) words.push("The lab is not running: start it to check it.");
    if (this.last && !this.busy) {
      const at = new Date(this.at);
      const sameDay = at.toDateString() === new Date().toDateString();
      words.push(`Checked ${sameDay ? `at ${at.toLocaleTimeString(undefined, { timeStyle: "short" })}` : `on ${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`}.`);
      if (this.ready && this.started && Date.parse(this.started) > this.at) words.push("The lab was started anew since: check again.");
    } else if (!this.busy && this.ready && this.results.size === 0) words.push("Check as often as you like: it costs nothing, and networks are given their time.");
    text(this.when, words.join(" "));
  }

  private item(c: Check): HTMLElement {
    const r = this.results.get(c.name);
    const state = r?.outcome ?? (this.busy ? "waiting" : "none");
    const word = r ? OUTCOMES[r.outcome] : this.busy ? "waits" : "not checked";
    const fact = (what: string, value: string | undefined) => (value ? [h("dt", {}, what), h("dd", {}, value)] : []);
    const facts = r ? [...fact("Expected", r.expected), ...fact("Seen", r.seen), ...(r.outcome === "pass" ? [] : fact("Look at", r.look)), ...fact("Doubt", r.doubt)] : [];
    const hint = r ? r.hint : c.hint;
    const body = facts.length > 0 ? h("dl", { class: "facts small" }, ...facts) : null;
    const worth = r ? r.worth : c.points;
    const points = worth > 0 ? (r && r.outcome !== "error" ? `${number(r.points)}/${number(worth)}` : number(worth)) : "–";
    const li = h(
      "li",
      { class: `check is-${state}`, "data-check": c.name, "data-outcome": state },
      h(
        "div",
        { class: "check-line" },
        h("span", { class: `outcome outcome-${state}` }, word),
        h("span", { class: "check-title" }, c.title),
        this.trust(c.trust),
        h("span", { class: "check-points", title: "Points" }, h("span", { "aria-hidden": "true" }, points), h("span", { class: "visually-hidden" }, `${points.replace("/", " of ")} ${worth === 1 ? "point" : "points"}`)),
      ),
      r?.outcome === "pass" && body ? h("details", { "data-key": `${c.name} facts` }, h("summary", {}, "What was seen"), body) : body,
      r?.outcome !== "pass" && hint ? h("details", { class: "hint-fold", "data-key": `${c.name} hint` }, h("summary", {}, "Hint"), h("p", {}, hint)) : null,
    );
    this.drawn.set(c.name, li);
    return li;
  }

  private trust(t: Trust): HTMLElement {
    return h("button", { type: "button", class: `trust trust-${t}`, title: TRUSTS[t], "aria-label": `${t}: what does that mean?`, onclick: explainTrust }, t);
  }
}

function explainTrust(): void {
  const rows = (Object.keys(TRUSTS) as Trust[]).flatMap((t) => [h("dt", {}, h("span", { class: `trust trust-${t}` }, t)), h("dd", {}, TRUSTS[t])]);
  show("How a check finds out", h("dl", { class: "facts" }, ...rows));
}

/** The badge of a step in the guide. */
export function stepBadge(s: Step, open: () => void): HTMLElement {
  const done = s.passed === s.total;
  const words = done ? (s.total === 1 ? "Done: its check passed" : `Done: all ${s.total} checks passed`) : s.tried === 0 ? `${plural(s.total, "check", "checks")}, not tried yet` : `${s.passed} of ${plural(s.total, "check", "checks")} passed`;
  return h(
    "button",
    { type: "button", class: `step-badge ${done ? "is-done" : s.tried > 0 ? "is-open" : ""}`, title: words, "aria-label": words, onclick: open },
    done ? icon("tick") : `${s.passed}/${s.total}`,
  );
}
