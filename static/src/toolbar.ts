// The row above a lab: its name, how it is, and what can be done with the whole of it.

import { attr, button, h, text } from "./dom.ts";
import { icon, type Icon } from "./icons.ts";
import type { State } from "./protocol.ts";
import type { Link } from "./stream.ts";

export interface ToolbarOptions {
  title: string;
  viewing: string | null; // a sentence for who looks on at somebody else's lab
  note: string | null; // what the lab is, when it is no lab of one's own
  reset: () => void;
  stop: () => void;
  start: () => void;
  retry: () => void;
  help: () => void;
  check: (() => void) | null; // of a lab that has checks
  handIn: HTMLButtonElement | null; // of a lab that is handed in
  toggleGuide: () => void;
  toggleTopology: () => void;
}

export class Toolbar {
  readonly element: HTMLElement;
  private readonly nodes = h("span", { class: "badge", id: "lab-status" });
  private readonly link = h("span", { class: "link-state", id: "connection", role: "status" });
  private readonly linkText = h("span", {});
  private readonly retry: HTMLButtonElement;
  private readonly reset: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly start: HTMLButtonElement;
  private readonly guide: HTMLButtonElement;
  private readonly topology: HTMLButtonElement;
  private readonly check: HTMLButtonElement | null;
  private readonly handIn: HTMLButtonElement | null;
  private frozen = false;
  private connected = false;
  private countdown: ReturnType<typeof setInterval> | undefined;

  constructor(o: ToolbarOptions) {
    const tool = (i: Icon, label: string, onclick: () => void, id: string) =>
      h("button", { type: "button", class: "tool tool-label", id, onclick }, icon(i), h("span", {}, label));
    this.retry = button("Connect now", o.retry, { id: "reconnect", hidden: true });
    this.reset = button("Reset lab", o.reset, { id: "reset-lab", class: "button button-small button-danger" });
    this.stop = button("Stop lab", o.stop, { id: "stop-lab" });
    this.start = button("Start lab", o.start, { id: "start-lab", class: "button button-small button-primary", hidden: true });
    this.check = o.check ? button("Check", o.check, { id: "check-lab", title: "Check the lab (Ctrl+Shift+Enter)" }) : null;
    this.handIn = o.handIn;
    this.guide = tool("guide", "Guide", o.toggleGuide, "toggle-guide");
    this.topology = tool("drawing", "Drawing", o.toggleTopology, "toggle-topology");
    attr(this.guide, "aria-controls", "guide-pane");
    attr(this.topology, "aria-controls", "topology");
    this.link.append(h("span", { class: "link-dot", "aria-hidden": "true" }), this.linkText);
    const own = o.viewing === null;
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Lab" },
      this.guide,
      this.topology,
      h("h1", { class: "lab-title" }, o.title),
      o.viewing ? h("span", { class: "badge badge-accent toolbar-note", title: o.viewing }, o.viewing) : null,
      o.note ? h("span", { class: "badge badge-accent toolbar-note", title: o.note }, o.note) : null,
      this.nodes,
      this.link,
      this.retry,
      h("span", { class: "push" }),
      this.check,
      this.handIn,
      own ? this.start : null,
      own ? this.stop : null,
      own ? this.reset : null,
      h("button", { type: "button", class: "tool", id: "help", title: "Help and keys (Ctrl+Shift+/)", "aria-label": "Help and keys", onclick: o.help }, icon("help")),
      document.querySelector("[data-theme-toggle]")
        ? null
        : h("button", { type: "button", class: "tool", "data-theme-toggle": true }, icon("theme")),
    );
  }

  setPanes(guide: boolean, topology: boolean): void {
    attr(this.guide, "aria-expanded", String(guide));
    attr(this.topology, "aria-expanded", String(topology));
  }

  setState(s: State): void {
    this.frozen = !!s.frozen;
    this.able();
    const all = s.nodes ?? [];
    const running = all.filter((n) => n.status === "running").length;
    const failed = all.filter((n) => n.status === "failed").length;
    const coming = all.some((n) => n.status === "starting" || n.status === "booting");
    attr(this.nodes, "class", `badge ${failed ? "badge-bad" : coming ? "badge-wait" : running > 0 ? "badge-good" : ""}`);
    const what = `${running} of ${all.length} running`;
    text(this.nodes, failed ? `${what}, ${failed} failed` : what);
  }

  setLink(l: Link): void {
    clearInterval(this.countdown);
    attr(this.link, "data-link", l.is);
    this.retry.hidden = l.is !== "reconnecting";
    const stopped = l.is === "stopped";
    this.start.hidden = !stopped || l.why !== "ended";
    this.stop.hidden = this.reset.hidden = stopped;
    this.nodes.hidden = stopped;
    this.connected = l.is === "connected";
    this.able();
    switch (l.is) {
      case "connecting":
        return text(this.linkText, "Connecting …");
      case "connected":
        return text(this.linkText, "Connected");
      case "reconnecting": {
        // What one types is kept meanwhile; saying so is better than a blank look.
        const say = () => {
          const left = Math.ceil((l.retryAt - Date.now()) / 1000);
          text(this.linkText, left > 1 ? `Connection lost. Trying again in ${left} s` : "Connection lost. Trying again …");
        };
        say();
        this.countdown = setInterval(say, 1000);
        return;
      }
      case "stopped":
        return text(this.linkText, { ended: "Stopped", "signed-out": "Logged out", denied: "Closed" }[l.why]);
    }
  }

  /** What can be done just now: little while the lab is frozen. */
  private able(): void {
    this.reset.disabled = !this.connected || this.frozen;
    this.stop.disabled = this.frozen;
    if (this.check) this.check.disabled = !this.connected;
  }
}
