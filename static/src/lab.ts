// The lab page. The server gives it a guide, an empty place for the drawing
// and one for the terminals, and in the body's data attributes the lab's slug
// (data-lab), the address of its rack (data-rack), whether this person owns it
// or looks on (data-role), how many checks they see (data-checks, when there
// are any), and the number of the assignment that it is handed in for with its
// rule for late work (data-assignment, data-late; when there is one).

import { APIError, request, type RackInfo } from "./api.ts";
import { CheckPanel, stepBadge } from "./checkpanel.ts";
import type { Step } from "./checks.ts";
import { Cover } from "./cover.ts";
import { ask, sentence, toast } from "./dialog.ts";
import { need, h } from "./dom.ts";
import { Frame } from "./frame.ts";
import { claimSteps, startGuide, stepHeading } from "./guide.ts";
import { HandIn } from "./handin.ts";
import { showHelp } from "./help.ts";
import type { Op, State } from "./protocol.ts";
import { Stream, type Link, type Stopped } from "./stream.ts";
import { Terminals } from "./terminals.ts";
import { startTheme } from "./theme.ts";
import { Toolbar } from "./toolbar.ts";
import { Topology } from "./topology.ts";

declare global {
  interface Window {
    /** For tests and the curious: what the page knows, to be read and not to be changed. */
    patchbay: {
      /** A console's output as plain text; "" while its terminal is not open. */
      text(node: string, console?: number): string;
      /** The rack's last state. */
      state(): State | null;
      /** "connecting", "connected", "reconnecting" or "stopped". */
      link(): Link["is"];
    };
  }
}

const PATIENCE = 1500; // ms after which a start says that it goes on
const LOOK_AGAIN = 5000; // ms between looks at a lab that somebody else has stopped

class LabPage {
  private readonly slug = document.body.dataset["lab"] ?? "";
  private readonly rackPath = document.body.dataset["rack"] ?? "";
  private readonly viewing = document.body.dataset["role"] === "viewer";
  private readonly cover = new Cover();
  private readonly progress = h("div", { class: "progress-line", id: "progress", role: "status", hidden: true });
  private readonly frozen = h("div", { class: "progress-line frozen-line", id: "frozen", role: "status", hidden: true });
  private readonly panel: CheckPanel | null = null;
  private readonly handIn: HandIn | null = null;
  private readonly toolbar: Toolbar;
  private readonly topology: Topology;
  private frame: Frame | null = null;
  private stream: Stream | null = null;
  private terminals: Terminals | null = null;
  private rack: RackInfo | null = null;
  private lookTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const guide = need("guide");
    const steps = claimSteps(guide);
    const topologyRoot = need("topology");
    const title = document.getElementById("lab-title")?.textContent ?? "Lab";
    const data = document.body.dataset;
    const help = () => showHelp(!!data["checks"]);
    if (data["checks"]) {
      this.panel = new CheckPanel({
        steps,
        toStep: (id) => this.toStep(id),
        reveal: () => this.frame?.showSide("checks"),
        onSteps: (all) => this.markSteps(all),
        onCount: (passed, total, busy) =>
          this.frame?.labelChecks(busy ? "Checking …" : `Checks ${passed}/${total}`, busy ? "busy" : passed === total && total > 0 ? "done" : ""),
      });
    }
    if (data["assignment"]) {
      this.handIn = new HandIn({
        assignment: Number(data["assignment"]),
        late: data["late"] ?? "",
        ready: () => this.stream?.link.is === "connected",
        begun: () => this.frame?.showSide("checks"),
      });
    }
    this.toolbar = new Toolbar({
      title,
      viewing: this.viewing ? (document.getElementById("viewing")?.textContent ?? "You look on.") : null,
      note: document.getElementById("lab-note")?.textContent ?? null,
      reset: () => void this.reset(),
      stop: () => void this.stop(),
      start: () => void this.start(),
      retry: () => this.stream?.hurry(),
      help,
      check: this.panel ? () => this.check() : null,
      handIn: this.handIn?.button ?? null,
      toggleGuide: () => this.frame?.toggleGuide(),
      toggleTopology: () => this.frame?.toggleTopology(),
    });
    const panes = () => this.frame && this.toolbar.setPanes(this.frame.guideOpen, this.frame.topologyOpen);
    this.frame = new Frame(guide, topologyRoot, need("terminals"), this.panel?.element ?? null, panes);
    panes();
    const own = this.panel?.element.querySelector(".checks-head") ?? null;
    if (own && this.handIn) own.append(this.handIn.element);
    else if (this.handIn) this.frame.work.append(this.handIn.element);
    this.panel?.setReady(false);
    this.frame.element.before(this.toolbar.element);
    this.frame.work.append(this.progress, this.frozen, this.cover.element);
    this.cover.behind = [topologyRoot, need("terminals")];
    this.topology = new Topology(topologyRoot, {
      readonly: this.viewing,
      open: (node) => this.terminals?.show(node),
      act: (op) => this.act(op),
      attempt: (op) => this.stream?.do(op) ?? Promise.reject(new Error("The lab is not connected just now.")),
      rack: () => (this.rack ? `/api/v1/racks/${encodeURIComponent(this.rack.id)}` : ""),
    });
    startGuide(guide, {
      slug: this.slug,
      title,
      readonly: this.viewing,
      type: (node, text) => {
        this.frame?.leaveGuide();
        this.terminals?.type(node, text);
      },
    });
    window.patchbay = Object.freeze({
      text: (node: string, console = 0) => this.terminals?.text(node, console) ?? "",
      state: () => this.stream?.state ?? null,
      link: () => this.stream?.link.is ?? "stopped",
    });
  }

  /** Finds the rack, or for its owner starts it, and connects. */
  async start(): Promise<void> {
    clearTimeout(this.lookTimer);
    this.cover.busy(this.viewing ? "Looking for the lab …" : "Starting the lab …");
    this.toolbar.setLink({ is: "connecting" });
    const patience = setTimeout(
      () => this.cover.busy("Starting the lab …", "This takes a moment the first time: the machines' disks are being made."),
      PATIENCE,
    );
    try {
      this.rack = await request<RackInfo>(this.viewing ? "GET" : "POST", this.rackPath);
      void this.panel?.use(this.rack.id);
      if (this.viewing && this.rack.status === "off") return this.stopped("ended");
      this.connect(this.rack);
    } catch (e) {
      if (e instanceof APIError && e.status === 401) this.stopped("signed-out");
      else this.failed(sentence(e));
    } finally {
      clearTimeout(patience);
    }
  }

  private connect(rack: RackInfo): void {
    const url = new URL(rack.stream, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (!this.stream) {
      this.stream = new Stream({
        url: url.href,
        probe: () => this.probe(),
        onState: (s) => this.onState(s),
        onLink: (l) => this.onLink(l),
      });
      this.terminals = new Terminals(need("terminals"), {
        slug: this.slug,
        stream: this.stream,
        readonly: this.viewing,
        act: (op) => this.act(op),
        help: () => showHelp(this.panel !== null),
        check: this.panel ? () => this.check() : null,
      });
    }
    this.stream.open();
  }

  /** Why a connection was refused, where a plain request can tell. */
  private async probe(): Promise<Stopped | null> {
    try {
      await request<RackInfo>("GET", `/api/v1/racks/${encodeURIComponent(this.rack?.id ?? "")}`);
      return null;
    } catch (e) {
      if (!(e instanceof APIError)) return null;
      if (e.status === 401) return "signed-out";
      return e.status === 403 || e.status === 404 ? "denied" : null;
    }
  }

  private onState(s: State): void {
    this.cover.hide();
    this.toolbar.setState(s);
    this.topology.setState(s);
    this.terminals?.setState(s);
    this.panel?.setReady(this.stream?.link.is === "connected", s.started);
    this.frozen.hidden = !s.frozen;
    if (s.frozen && this.frozen.textContent !== s.frozen) this.frozen.textContent = s.frozen;
    const p = s.progress;
    this.progress.hidden = !p;
    if (p) {
      const line = `${p.step} (${p.done} of ${p.total})`;
      if (this.progress.dataset["line"] !== line) {
        this.progress.dataset["line"] = line;
        this.progress.replaceChildren(h("span", {}, line), h("progress", { max: p.total, value: p.done, "aria-label": p.step }));
      }
    }
  }

  private onLink(l: Link): void {
    this.toolbar.setLink(l);
    this.terminals?.setConnected(l.is === "connected");
    this.panel?.setReady(l.is === "connected");
    if (l.is === "stopped") this.stopped(l.why);
  }

  private stopped(why: Stopped): void {
    this.progress.hidden = this.frozen.hidden = true;
    switch (why) {
      case "signed-out":
        this.toolbar.setLink({ is: "stopped", why });
        this.cover.say("plain", "You are logged out", "Your machines run on. Log in to come back to them.", [
          { label: "Log in", action: () => location.assign(`/login?next=${encodeURIComponent(location.pathname)}`) },
        ]);
        break;
      case "denied":
        this.toolbar.setLink({ is: "stopped", why });
        this.cover.say("plain", "This lab is closed to you", "You may no longer see it.", [{ label: "My labs", action: () => location.assign("/") }]);
        break;
      case "ended":
        this.toolbar.setLink({ is: "stopped", why });
        if (this.viewing) {
          this.cover.say("plain", "This lab is not running", "It appears here as soon as its owner starts it.", [
            { label: "Look again", action: () => void this.start() },
          ]);
          this.lookTimer = setTimeout(() => void this.start(), LOOK_AGAIN);
        } else {
          this.cover.say("plain", "The lab is stopped", "Its machines are switched off. Your files are kept and will be there when you start it again.", [
            { label: "Start lab", id: "start-lab", action: () => void this.start() },
            { label: "My labs", action: () => location.assign("/") },
          ]);
        }
    }
  }

  private failed(why: string): void {
    this.toolbar.setLink({ is: "stopped", why: "ended" });
    this.cover.say("error", "The lab could not be started", why, [
      { label: "Try again", id: "start-lab", action: () => void this.start() },
      { label: "My labs", action: () => location.assign("/") },
    ]);
  }

  private check(): void {
    void this.panel?.run();
  }

  private toStep(id: string): void {
    this.frame?.showSide("guide");
    const heading = stepHeading(id);
    if (!heading) return;
    heading.tabIndex = -1;
    heading.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
  }

  /** Ticks the guide's steps. */
  private markSteps(all: Map<string, Step>): void {
    for (const [id, s] of all) {
      const heading = stepHeading(id);
      if (!heading) continue;
      const says = `${s.passed} ${s.tried} ${s.total}`;
      const old = heading.querySelector<HTMLElement>(".step-badge");
      if (old?.dataset["says"] === says) continue;
      const badge = stepBadge(s, () => this.panel && this.frame?.showSide("checks"));
      badge.dataset["says"] = says;
      const focused = old !== null && document.activeElement === old;
      if (old) old.replaceWith(badge);
      else heading.append(badge);
      if (focused) badge.focus();
    }
  }

  private act(op: Op): void {
    this.stream?.do(op).catch((e: unknown) => toast(sentence(e), "error"));
  }

  private async reset(): Promise<void> {
    const nodes = this.stream?.state?.nodes?.length ?? 0;
    const yes = await ask({
      title: "Reset the whole lab?",
      text: [
        `All ${nodes} machines start again from the lab's beginning. Every file, every setting and everything that you typed on them is lost.`,
        "This cannot be undone. To begin again on one machine only, use its own menu in the drawing.",
      ],
      action: "Reset the lab",
      danger: true,
    });
    if (yes) this.act({ do: "reset" });
  }

  private async stop(): Promise<void> {
    const yes = await ask({
      title: "Stop the lab?",
      text: ["All machines shut down. Files on their disks are kept; programs that run, and settings that live in memory such as addresses and routes, are gone."],
      action: "Stop the lab",
    });
    if (!yes || !this.rack) return;
    this.cover.busy("Stopping the lab …", "The machines write their files to disk.");
    try {
      await request("DELETE", `/api/v1/racks/${encodeURIComponent(this.rack.id)}`);
      this.stream?.close("ended");
    } catch (e) {
      this.cover.hide();
      toast(sentence(e), "error");
    }
  }
}

const page = new LabPage();
startTheme();
void page.start();
