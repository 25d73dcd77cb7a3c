// Handing in: asks, tells the server, and follows what becomes of it. The
// server takes a minute or so to copy the disks, and grades when it is its turn.

import { APIError, request } from "./api.ts";
import { number, plural } from "./checks.ts";
import { ask, sentence } from "./dialog.ts";
import { button, h } from "./dom.ts";
import { load, save } from "./store.ts";

/** How one person stands in an assignment. */
export interface Yours {
  phase: "upcoming" | "open" | "late" | "closed";
  due?: string;
  closes?: string;
  attempts: number; // 0: no limit
  used: number;
}

export interface Submission {
  id: number;
  attempt: number;
  state: "taking" | "queued" | "grading" | "graded" | "failed";
  score?: number;
  worth?: number;
  error?: string;
  progress?: { step: string; done: number; total: number };
}

/** Why nothing can be handed in now; "" when it can. */
export function closed(y: Yours): string {
  if (y.phase === "upcoming") return "This assignment is not open yet.";
  if (y.phase === "closed") return "This assignment is closed: nothing is taken any more.";
  if (y.attempts > 0 && y.used >= y.attempts) return y.attempts === 1 ? "Your one attempt is used up." : `All ${y.attempts} attempts are used up.`;
  return "";
}

/** What one should know before handing in; late is the assignment's rule, a sentence or "". */
export function terms(y: Yours, late: string, when: (iso: string) => string): string[] {
  const words = [y.attempts > 0 ? `This is attempt ${y.used + 1} of ${y.attempts}.` : `This is attempt ${y.used + 1}; you have as many as you like.`];
  if (y.due) words.push(y.phase === "late" ? `It was due on ${when(y.due)}, so it is late.` : `It is due on ${when(y.due)}.`);
  if (y.due && late) words.push(late);
  return [
    words.join(" "),
    "Your machines stand still for a moment, are checked, and their disks are copied; then you can go on. The copy is booted afresh later and checked once more: what does not survive a restart shows.",
  ];
}

/** What is to be said of a submission. */
export function standing(s: Submission): string {
  switch (s.state) {
    case "taking":
      return s.progress?.total ? `${s.progress.step} (${s.progress.done} of ${s.progress.total})` : (s.progress?.step ?? "It is being handed in.");
    case "queued":
      return `Attempt ${s.attempt} is handed in. It will be graded on a fresh boot; you can go on, or close this page.`;
    case "grading":
      return `Attempt ${s.attempt} is handed in, and is being graded on a fresh boot now.`;
    case "graded":
      return s.score === undefined ? `Attempt ${s.attempt} is graded.` : `Attempt ${s.attempt} is graded: ${number(s.score)} of ${plural(s.worth ?? 0, "point", "points")}.`;
    case "failed":
      return `Attempt ${s.attempt} could not be graded. ${s.error ?? ""}`.trim();
  }
}

const TAKING_POLL = 700; // ms
const POLL = 4000;

export interface HandInOptions {
  assignment: number;
  late: string; // the rule, a sentence or ""
  ready: () => boolean; // the lab runs and is connected
  begun: () => void;
}

export class HandIn {
  readonly button = button("Hand in", () => void this.begin(), { id: "hand-in", class: "button button-small button-primary" });
  readonly element = h("div", { class: "handed-in", id: "handed-in", role: "status", hidden: true });
  private readonly path: string;
  private readonly key: string;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = "";

  constructor(private readonly o: HandInOptions) {
    this.path = `/api/v1/assignments/${o.assignment}`;
    this.key = `patchbay.assignment.${o.assignment}.submission`;
    const last = load(this.key);
    if (typeof last === "number") this.follow(last);
  }

  private async begin(): Promise<void> {
    if (this.button.disabled) return;
    this.button.disabled = true;
    try {
      if (!this.o.ready()) return this.say("error", "Start the lab first: what is handed in is the running lab.");
      const { yours } = await request<{ yours: Yours }>("GET", this.path);
      const no = closed(yours);
      if (no) return this.say("error", no);
      const yes = await ask({ title: "Hand in the lab as it is now?", text: terms(yours, this.o.late, when), action: "Hand in" });
      this.button.focus();
      if (!yes) return;
      this.o.begun();
      this.say("busy", "It is being handed in.");
      const s = await request<Submission>("POST", `${this.path}/submissions`);
      save(this.key, s.id);
      this.tell(s);
    } catch (e) {
      this.say("error", sentence(e));
    } finally {
      this.button.disabled = false;
    }
  }

  private follow(id: number): void {
    clearTimeout(this.timer);
    request<Submission>("GET", `/api/v1/submissions/${id}`).then(
      (s) => this.tell(s),
      (e: unknown) => {
        if (e instanceof APIError && e.status === 0) return this.again(id, POLL); // offline: it goes on without us
        save(this.key, null);
        if (this.shown) this.say("error", sentence(e)); // what is not there after a reload is no news
      },
    );
  }

  private again(id: number, pause: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.follow(id), document.hidden ? 5 * pause : pause);
  }

  private tell(s: Submission): void {
    const to = h("a", { href: `/submissions/${s.id}`, target: "_blank" }, `See attempt ${s.attempt}`);
    const bar = s.state === "taking" ? h("progress", s.progress?.total ? { max: s.progress.total, value: s.progress.done, "aria-label": "Handing in" } : { "aria-label": "Handing in" }) : null;
    const tone = s.state === "taking" ? "busy" : s.state === "failed" ? "error" : s.state === "graded" ? "good" : "plain";
    this.say(tone, standing(s), bar ?? to);
    if (s.state !== "graded" && s.state !== "failed") this.again(s.id, s.state === "taking" ? TAKING_POLL : POLL);
  }

  private say(tone: "plain" | "busy" | "good" | "error", words: string, more: Node | null = null): void {
    const dismiss = h("button", { type: "button", class: "tool", "aria-label": "Close this note", onclick: () => this.dismiss() }, "×");
    if (this.shown !== words) this.element.replaceChildren(h("div", { class: "handed-in-text" }, h("p", {}, words), more), tone === "busy" ? "" : dismiss);
    this.shown = words;
    this.element.className = `handed-in is-${tone}`;
    this.element.hidden = false;
  }

  private dismiss(): void {
    this.element.hidden = true;
    this.shown = "";
    save(this.key, null);
    clearTimeout(this.timer);
    this.button.focus();
  }
}

function when(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
