// A rack's side of the stream, for tests: sockets that record what they are
// sent and say what they are told, and a screen that parses when it is asked.

import { webcrypto } from "node:crypto";
import type { Screen } from "../src/channel.ts";
import type { ServerMessage, State } from "../src/protocol.ts";

(globalThis as { crypto?: unknown }).crypto ??= webcrypto; // node 18 has no global one

/** A clock that moves when it is told; node 18's own mocks no Date. */
export class FakeClock {
  private now = 1_000_000;
  private lastID = 0;
  private waiting = new Map<number, { at: number; every: number; f: () => void }>();
  private real = { ...pick(globalThis), now: Date.now };

  install(): void {
    const later = (f: () => void, ms: number, every: number) => {
      this.waiting.set(++this.lastID, { at: this.now + ms, every, f });
      return this.lastID;
    };
    const forget = (id?: number) => void this.waiting.delete(id ?? 0);
    Object.assign(globalThis, {
      setTimeout: (f: () => void, ms = 0) => later(f, ms, 0),
      setInterval: (f: () => void, ms = 0) => later(f, ms, ms),
      clearTimeout: forget,
      clearInterval: forget,
    });
    Date.now = () => this.now;
  }

  remove(): void {
    const { now, ...timers } = this.real;
    Object.assign(globalThis, timers);
    Date.now = now;
  }

  tick(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [id, next] = [...this.waiting].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (id === undefined || !next || next.at > end) break;
      this.now = next.at;
      if (next.every > 0) next.at += next.every;
      else this.waiting.delete(id);
      next.f();
    }
    this.now = end;
  }
}

function pick({ setTimeout, setInterval, clearTimeout, clearInterval }: typeof globalThis) {
  return { setTimeout, setInterval, clearTimeout, clearInterval };
}

export class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  binaryType = "";
  sent: (string | Uint8Array)[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onclose: ((e: { code: number }) => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(d: string | Uint8Array): void {
    this.sent.push(d);
  }

  close(): void {
    this.readyState = 3;
  }

  // ---- what the rack does ----

  accept(started = "2026-01-01T00:00:00Z"): void {
    this.readyState = 1;
    this.onopen?.();
    this.json({ t: "state", state: state(started) });
  }

  json(m: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(m) });
  }

  output(channel: number, offset: number, text: string): void {
    const body = new TextEncoder().encode(text);
    const b = new Uint8Array(11 + body.length);
    const v = new DataView(b.buffer);
    v.setUint8(0, 1);
    v.setUint16(1, channel);
    v.setBigUint64(3, BigInt(offset));
    b.set(body, 11);
    this.onmessage?.({ data: b.buffer });
  }

  inputAck(channel: number, position: number): void {
    const b = new DataView(new ArrayBuffer(11));
    b.setUint8(0, 4);
    b.setUint16(1, channel);
    b.setBigUint64(3, BigInt(position));
    this.onmessage?.({ data: b.buffer });
  }

  drop(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  // ---- what the client has sent ----

  texts(t: string): Record<string, unknown>[] {
    return this.sent.filter((m) => typeof m === "string").map((m) => JSON.parse(m as string)).filter((m) => m.t === t);
  }

  frames(kind: number): { channel: number; position: number; text: string }[] {
    return this.sent
      .filter((m): m is Uint8Array => typeof m !== "string" && m[0] === kind)
      .map((m) => {
        const v = new DataView(m.buffer, m.byteOffset);
        return { channel: v.getUint16(1), position: Number(v.getBigUint64(3)), text: new TextDecoder().decode(m.subarray(11)) };
      });
  }

  /** Answers the last attach of a channel. */
  attached(channel: number, a: { epoch: number; offset: number; head?: number; input?: number; gap?: boolean }): void {
    const asked = this.texts("attach").findLast((m) => m["channel"] === channel)!;
    this.json({ t: "attached", id: asked["id"] as number, channel, ...a });
  }
}

export function state(started: string): State {
  return { rack: "r", owner: "o", lab: "l", title: "t", status: "running", started, nodes: [], segments: [] };
}

export class FakeScreen implements Screen {
  shown = "";
  cols = 80;
  rows = 24;
  replays: boolean[] = [];
  private pending: (() => void)[] = [];
  private decoder = new TextDecoder();

  constructor(private readonly slow = false) {}

  write(bytes: Uint8Array, done: () => void): void {
    this.shown += this.decoder.decode(bytes);
    if (this.slow) this.pending.push(done);
    else done();
  }

  /** Parses what has come so far. */
  parse(): void {
    for (const done of this.pending.splice(0)) done();
  }

  clear(): void {
    this.shown = "";
  }

  note(text: string): void {
    this.shown += `[${text}]`;
  }

  size(cols: number, rows: number): void {
    [this.cols, this.rows] = [cols, rows];
  }

  replaying(on: boolean): void {
    this.replays.push(on);
  }
}
