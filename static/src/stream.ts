// The page's one connection to its rack. It reconnects by itself, resumes
// every channel where it was, and turns requests into promises.

import { Channel, type Screen, type Wire } from "./channel.ts";
import { decodeFrame, type ClientMessage, type Op, type ServerMessage, type State } from "./protocol.ts";

export type Link =
  | { is: "connecting" }
  | { is: "connected" }
  | { is: "reconnecting"; retryAt: number } // ms since 1970
  | { is: "stopped"; why: Stopped };

export type Stopped = "ended" | "signed-out" | "denied";

// The server's own close codes; every other end of a connection is worth another try.
const CLOSE_CODES: Record<number, Stopped> = { 4401: "signed-out", 4403: "denied", 4409: "ended" };

export interface StreamOptions {
  url: string; // ws(s)://…/stream, without the session
  probe: () => Promise<Stopped | null>; // why the server refuses, null when it cannot be asked or does not
  onState: (s: State) => void;
  onLink: (l: Link) => void;
  socket?: (url: string) => WebSocket; // for tests
  random?: () => number;
}

const FIRST_RETRY = 200; // ms
const LAST_RETRY = 5000;
const SILENCE = 6000; // ms that typed bytes may go unanswered before the connection counts as dead
const CONNECT_TIMEOUT = 8000;

export class Stream {
  private readonly session = newSession();
  private readonly channels = new Map<number, Channel>();
  private readonly requests = new Map<number, { resolve: () => void; reject: (e: Error) => void }>();
  private socket: WebSocket | null = null;
  private lastID = 0;
  private failures = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private lastHeard = 0;
  private rackStarted: string | null = null; // of this connection; null until its first state
  private closed = false;
  link: Link = { is: "connecting" };
  state: State | null = null;

  constructor(private readonly options: StreamOptions) {}

  open(): void {
    this.closed = false;
    this.failures = 0;
    globalThis.addEventListener?.("online", this.hurry);
    globalThis.document?.addEventListener("visibilitychange", this.hurry);
    this.watch ??= setInterval(() => this.checkSilence(), 1000);
    this.setLink({ is: "connecting" });
    this.connect();
  }

  /** Lets go of the rack; the rack runs on. */
  close(why: Stopped = "ended"): void {
    this.closed = true;
    globalThis.removeEventListener?.("online", this.hurry);
    globalThis.document?.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.retryTimer);
    clearInterval(this.watch);
    this.watch = undefined;
    this.drop();
    this.setLink({ is: "stopped", why });
  }

  /** A console's channel. It attaches now or as soon as there is a connection. */
  channel(node: string, console: number, screen: Screen): Channel {
    const c = new Channel(this.freeChannel(), node, console, screen);
    this.channels.set(c.id, c);
    if (this.socket && this.rackStarted !== null) this.attach(c, this.socket, this.rackStarted);
    return c;
  }

  release(c: Channel): void {
    c.close();
    this.channels.delete(c.id);
  }

  /** Asks the rack to do something; rejects with the rack's sentence. */
  do(op: Op): Promise<void> {
    const socket = this.socket;
    if (!socket || this.rackStarted === null) {
      return Promise.reject(new Error("The lab is not connected just now. Try again in a moment."));
    }
    return new Promise((resolve, reject) => {
      const id = ++this.lastID;
      this.requests.set(id, { resolve, reject });
      send(socket, { t: "do", id, op });
    });
  }

  /** Tries at once instead of waiting out the pause. */
  readonly hurry = (): void => {
    if (this.closed || this.socket || globalThis.document?.visibilityState === "hidden") return;
    clearTimeout(this.retryTimer);
    this.connect();
  };

  private connect(): void {
    const join = this.options.url.includes("?") ? "&" : "?";
    const make = this.options.socket ?? ((url: string) => new WebSocket(url));
    const socket = make(`${this.options.url}${join}session=${this.session}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.rackStarted = null;
    let opened = false;
    const patience = setTimeout(() => this.socket === socket && !opened && this.fail(false), CONNECT_TIMEOUT);
    socket.onopen = () => {
      opened = true;
      clearTimeout(patience);
    };
    socket.onmessage = (e) => {
      if (this.socket !== socket) return;
      this.lastHeard = Date.now();
      if (typeof e.data === "string") this.onText(socket, e.data);
      else this.onBinary(e.data as ArrayBuffer);
    };
    socket.onclose = (e) => {
      clearTimeout(patience);
      if (this.socket !== socket) return;
      const why = CLOSE_CODES[e.code];
      if (why) this.close(why);
      else this.fail(opened);
    };
  }

  private onText(socket: WebSocket, text: string): void {
    const m = JSON.parse(text) as ServerMessage;
    switch (m.t) {
      case "state":
        this.state = m.state;
        if (this.rackStarted === null) this.connected(socket, m.state.started);
        this.options.onState(m.state);
        break;
      case "attached":
        this.channels.get(m.channel)?.onAttached(m);
        break;
      case "epoch":
        this.channels.get(m.channel)?.onEpoch(m.epoch);
        break;
      case "gap":
        this.channels.get(m.channel)?.onGap(m.offset);
        break;
      case "size":
        this.channels.get(m.channel)?.onSize(m.cols, m.rows);
        break;
      case "done": {
        const r = this.requests.get(m.id);
        this.requests.delete(m.id);
        if (m.error) r?.reject(new Error(m.error));
        else r?.resolve();
        break;
      }
    }
  }

  private onBinary(data: ArrayBuffer): void {
    const f = decodeFrame(data);
    if (!f) return;
    const c = this.channels.get(f.channel);
    if (f.kind === "output") c?.onOutput(f.offset, f.bytes);
    else c?.onInputAck(f.position);
  }

  private connected(socket: WebSocket, rackStarted: string): void {
    this.rackStarted = rackStarted;
    this.failures = 0;
    this.setLink({ is: "connected" });
    for (const c of this.channels.values()) this.attach(c, socket, rackStarted);
  }

  private attach(c: Channel, socket: WebSocket, rackStarted: string): void {
    const wire: Wire = { json: (m) => send(socket, m), bytes: (b) => sendBytes(socket, b) };
    const id = ++this.lastID;
    this.requests.set(id, { resolve() {}, reject() {} }); // an attach that fails is told by the node's state
    c.attach(wire, id, rackStarted);
  }

  private fail(wasOpen: boolean): void {
    this.drop();
    if (this.closed) return;
    // The first retry comes quickly: most often it is a server being upgraded.
    const pause = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.failures);
    const wait = pause * (0.5 + 0.5 * (this.options.random ?? Math.random)());
    this.failures++;
    this.setLink({ is: "reconnecting", retryAt: Date.now() + wait });
    const again = () => {
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(this.retry, wait);
    };
    if (wasOpen) return again();
    // A browser does not tell why a handshake was refused; a plain request does.
    this.options.probe().then(
      (why) => {
        if (this.closed || this.socket) return;
        if (why) this.close(why);
        else again();
      },
      () => {
        if (!this.closed && !this.socket) again();
      },
    );
  }

  private readonly retry = (): void => {
    if (!this.closed && !this.socket) this.connect();
  };

  /** Forgets the socket and everything that hung on it. */
  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.rackStarted = null;
    socket?.close();
    for (const c of this.channels.values()) c.lost();
    const lost = [...this.requests.values()];
    this.requests.clear();
    for (const r of lost) r.reject(new Error("The connection was lost before the lab answered."));
  }

  /** A connection can die without a word; typed bytes that nobody takes show it. */
  private checkSilence(): void {
    if (!this.socket || this.rackStarted === null) return;
    const waiting = [...this.channels.values()].some((c) => c.waiting);
    if (!waiting) this.lastHeard = Math.max(this.lastHeard, Date.now() - SILENCE / 2);
    else if (Date.now() - this.lastHeard > SILENCE) this.fail(true);
  }

  private freeChannel(): number {
    for (let id = 1; ; id++) if (!this.channels.has(id)) return id;
  }

  private setLink(l: Link): void {
    this.link = l;
    this.options.onLink(l);
  }
}

function send(socket: WebSocket, m: ClientMessage): void {
  if (socket.readyState === 1) socket.send(JSON.stringify(m));
}

function sendBytes(socket: WebSocket, b: Uint8Array<ArrayBuffer>): void {
  if (socket.readyState === 1) socket.send(b);
}

/**
 * 32 random characters. A session lives as long as the page: a reloaded page
 * has no keystrokes to resend, and a duplicated tab must not share positions
 * with its twin, as it would out of sessionStorage.
 */
function newSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
