// One console's end in the browser: which byte of output comes next, what was
// shown and is to be acknowledged, and what was typed and has not arrived yet.
// It owns no socket; a Stream gives it one and takes it away.

import { type Attached, type ClientMessage, encodeAck, encodeInput } from "./protocol.ts";

/** Where a channel's output goes. */
export interface Screen {
  /** Shows bytes; calls done when they have been parsed. */
  write(bytes: Uint8Array, done: () => void): void;
  /** Clears everything, in turn with what was written. */
  clear(): void;
  /** Says something that is not the console's output. */
  note(text: string): void;
  /** Another client has set the console's size. */
  size(cols: number, rows: number): void;
  /** Bytes up to the head of an attach repeat the past: true until they are through. */
  replaying(on: boolean): void;
  cols: number;
  rows: number;
}

/** A connected socket, as far as a channel needs one. */
export interface Wire {
  json(m: ClientMessage): void;
  bytes(b: Uint8Array<ArrayBuffer>): void;
}

const ACK_BYTES = 32 << 10;
const ACK_MILLIS = 100;
const INPUT_CHUNK = 16 << 10;
const INPUT_LIMIT = 256 << 10; // typed or pasted, and not taken by the rack

export class Channel {
  private wire: Wire | null = null;
  private attachID = 0;
  private live = false; // attached on this wire
  private epoch = 0;
  private next = -1; // offset of the next byte to come; -1 before the first
  private shown = 0; // parsed by the screen up to here
  private acked = 0;
  private generation = 0; // counts epochs and gaps, so that late parses acknowledge nothing
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private replayEnd = -1;

  private typed: Uint8Array[] = []; // what the rack has not acknowledged, oldest first
  private typedBytes = 0;
  private typedFrom = -1; // position of typed's first byte; -1 before the first attach
  private started = ""; // the rack's start, by which a new rack is told from the old

  constructor(
    readonly id: number,
    readonly node: string,
    readonly console: number,
    private readonly screen: Screen,
  ) {}

  /** Asks a new connection for the console, from where the last one ended. */
  attach(wire: Wire, requestID: number, rackStarted: string): void {
    if (this.started !== "" && this.started !== rackStarted) this.forget();
    this.started = rackStarted;
    this.wire = wire;
    this.attachID = requestID;
    this.live = false;
    wire.json({
      t: "attach",
      id: requestID,
      node: this.node,
      console: this.console,
      channel: this.id,
      epoch: this.epoch,
      from: this.next,
      cols: this.screen.cols,
      rows: this.screen.rows,
    });
  }

  /** The connection is gone; what is typed from now on waits. */
  lost(): void {
    this.wire = null;
    this.live = false;
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
  }

  /** Lets go of the console. */
  close(): void {
    this.wire?.json({ t: "detach", channel: this.id });
    this.lost();
    this.generation++;
  }

  get attached(): boolean {
    return this.live;
  }

  /** Whether keystrokes have been under way since before the last answer. */
  get waiting(): boolean {
    return this.live && this.typedBytes > 0;
  }

  onAttached(m: Attached): void {
    if (m.id !== this.attachID) return;
    const first = this.next < 0;
    const sameEpoch = m.epoch === this.epoch;
    if (!first && (!sameEpoch || m.gap || m.offset !== this.next)) {
      this.screen.clear();
      if (sameEpoch) this.screen.note("earlier output is no longer kept");
    }
    if (!sameEpoch && !first) this.dropInput(); // it was meant for a machine that is gone
    this.restart(m.epoch, m.offset);
    this.replayEnd = m.head ?? m.offset;
    this.screen.replaying(m.offset < this.replayEnd);
    this.live = true;

    const has = m.input ?? 0;
    if (this.typedFrom < 0 || !this.take(has)) this.typedFrom = has;
    this.resend();
  }

  onEpoch(epoch: number): void {
    this.screen.clear();
    this.dropInput();
    this.restart(epoch, 0);
  }

  onGap(offset: number): void {
    this.screen.clear();
    this.screen.note("output came faster than it could be shown; some of it was left out");
    this.restart(this.epoch, offset);
  }

  onSize(cols: number, rows: number): void {
    this.screen.size(cols, rows);
  }

  onOutput(offset: number, bytes: Uint8Array): void {
    if (!this.live) return;
    const known = this.next - offset;
    if (known > 0) bytes = bytes.subarray(known); // sent twice
    if (bytes.length === 0) return;
    const end = (known > 0 ? this.next : offset) + bytes.length;
    this.next = end;
    const generation = this.generation;
    this.screen.write(bytes, () => {
      if (generation === this.generation) this.parsed(end);
    });
  }

  onInputAck(position: number): void {
    this.take(position);
  }

  resize(cols: number, rows: number): void {
    if (this.live) this.wire?.json({ t: "resize", channel: this.id, cols, rows });
  }

  /** Sends what was typed, or keeps it for the next connection. False: too much waits already. */
  type(bytes: Uint8Array): boolean {
    if (this.typedBytes + bytes.length > INPUT_LIMIT) return false;
    for (let i = 0; i < bytes.length; i += INPUT_CHUNK) {
      const chunk = bytes.slice(i, i + INPUT_CHUNK);
      const position = this.typedFrom + this.typedBytes;
      this.typed.push(chunk);
      this.typedBytes += chunk.length;
      if (this.live) this.wire?.bytes(encodeInput(this.id, position, chunk));
    }
    return true;
  }

  private parsed(end: number): void {
    this.shown = end;
    if (this.replayEnd >= 0 && end >= this.replayEnd) {
      this.replayEnd = -1;
      this.screen.replaying(false);
    }
    if (this.shown - this.acked >= ACK_BYTES) this.sendAck();
    else this.ackTimer ??= setTimeout(() => this.sendAck(), ACK_MILLIS);
  }

  private sendAck(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (!this.live || this.shown <= this.acked) return;
    this.acked = this.shown;
    this.wire?.bytes(encodeAck(this.id, this.shown));
  }

  /** Output goes on from offset in the given epoch. */
  private restart(epoch: number, offset: number): void {
    const goesOn = epoch === this.epoch && offset === this.next;
    this.epoch = epoch;
    this.next = offset;
    this.acked = offset; // the rack counts its window from here
    if (goesOn) return; // what is still being parsed may be acknowledged when it is
    this.shown = offset;
    this.generation++;
    this.replayEnd = -1;
    this.screen.replaying(false);
  }

  /** Forgets input that the rack has up to position; false when the rack counts otherwise. */
  private take(position: number): boolean {
    let n = position - this.typedFrom;
    if (n < 0 || n > this.typedBytes) return false;
    this.typedFrom = position;
    this.typedBytes -= n;
    while (n > 0) {
      const chunk = this.typed[0]!;
      if (chunk.length > n) {
        this.typed[0] = chunk.subarray(n);
        break;
      }
      n -= chunk.length;
      this.typed.shift();
    }
    return true;
  }

  private resend(): void {
    let position = this.typedFrom;
    for (const chunk of this.typed) {
      this.wire?.bytes(encodeInput(this.id, position, chunk));
      position += chunk.length;
    }
  }

  private dropInput(): void {
    // The positions of what was sent are used up whether or not it arrived.
    if (this.typedFrom >= 0) this.typedFrom += this.typedBytes;
    this.typed = [];
    this.typedBytes = 0;
  }

  /** A new rack knows nothing of the old one's epochs and positions. */
  private forget(): void {
    this.dropInput();
    this.epoch = 0;
    this.typedFrom = -1;
    if (this.next >= 0) this.screen.clear();
    this.next = -1;
  }
}
