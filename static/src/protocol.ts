// The rack's stream as TypeScript: what labs/rack/api.go and
// labs/rack/stream.go say, and the binary frames' bytes.

export type Status = "off" | "starting" | "booting" | "running" | "stopping" | "failed";

export interface State {
  rack: string;
  owner: string;
  lab: string;
  title: string;
  status: Status;
  started: string;
  nodes: NodeState[] | null;
  segments: SegmentState[] | null;
  events?: EventState[];
  progress?: Progress;
  frozen?: string; // a sentence: why the owner's keys and operations are refused for now
}

export interface Progress {
  step: string;
  done: number;
  total: number;
}

export interface NodeState {
  name: string;
  status: Status;
  reason?: string;
  detail?: string;
  image: string;
  kernel: string;
  memory: number;
  consoles: number;
  interfaces: InterfaceState[] | null;
  boot_ms?: number;
  publish?: number[];
  x?: number;
  y?: number;
  placed?: boolean;
}

export interface InterfaceState {
  name: string;
  segment?: string;
  mac: string;
  addresses?: string[];
  up: boolean;
  plugged: boolean;
  carrier?: boolean;
  vlan?: number;
  trunk?: number[];
  native?: number;
  mirror?: boolean;
}

export type SegmentKind = "switch" | "hub" | "link" | "uplink";

export interface SegmentState {
  name: string;
  kind: SegmentKind;
  mtu?: number;
  mirror?: string;
  vlans?: number[];
  loop?: Loop;
  uplink?: Uplink;
  ports: PortState[] | null;
  x?: number;
  y?: number;
  placed?: boolean;
}

/** A segment's way to the outside. */
export interface Uplink {
  trouble?: string; // a sentence
  gateway?: string;
  allow?: string[];
  stats?: UplinkStats;
}

export interface UplinkStats {
  flows: number; // connections now
  carried: number; // since the start
  bytes: number;
  refused: number; // allowed, but beyond a limit
  spent: boolean; // nothing more is carried
  no_ping: boolean;
  denied: Denial[] | null; // the latest, last first
}

/** A destination that nodes wanted and may not reach. */
export interface Denial {
  destination: string;
  last: string; // time
  count: number;
}

export interface PortState {
  node: string;
  interface: string;
  tx_frames: number;
  tx_bytes: number;
  rx_frames: number;
  rx_bytes: number;
  drops: number;
  lost?: number;
  filtered?: number;
  storm?: number;
  giants?: number;
  cut?: number;
  out?: Impairment;
  in?: Impairment;
}

/** Frames go round in a segment. */
export interface Loop {
  since: string;
  ports: string[];
  frames_per_second: number;
}

/** Something that the lab does to its own wires, and what has come of it. */
export interface EventState {
  on: string; // a segment, NODE or NODE/INTERFACE
  do: "drop" | "delay" | "duplicate" | "corrupt" | "cut" | "restore" | "impair";
  at_ms?: number;
  frame?: string; // a filter
  direction?: Direction;
  nth?: number;
  every?: boolean;
  delay_ms?: number;
  impair?: Impairment;
  seen?: number; // frames that matched
  done: number; // times that it happened
  last?: string; // when it did last
}

/** What one direction of a cable does to frames; what is absent it does not. */
export interface Impairment {
  delay?: string; // "20ms"
  jitter?: string;
  distribution?: "uniform" | "normal" | "pareto";
  loss?: number | string; // 0…1, or "1%"
  burst?: { good_to_bad: number; bad_to_good: number; loss_good?: number; loss_bad?: number };
  duplicate?: number | string;
  reorder?: number | string;
  corrupt?: number | string;
  rate?: number | string; // bit/s, or "10M"
  queue?: number;
}

export type Direction = "out" | "in";

export interface Op {
  do: "start" | "stop" | "restart" | "reset" | "plug" | "unplug" | "cut" | "restore" | "impair" | "end";
  node?: string;
  interface?: string;
  segment?: string;
  direction?: Direction;
  impair?: Impairment;
}

export type ClientMessage =
  | {
      t: "attach";
      id: number;
      node: string;
      console: number;
      channel: number;
      epoch: number;
      from: number;
      cols: number;
      rows: number;
    }
  | { t: "detach"; channel: number }
  | { t: "resize"; channel: number; cols: number; rows: number }
  | { t: "do"; id: number; op: Op };

export interface Attached {
  t: "attached";
  id: number;
  channel: number;
  epoch: number;
  offset: number;
  head?: number;
  input?: number;
  gap?: boolean;
}

export type ServerMessage =
  | { t: "state"; state: State }
  | Attached
  | { t: "epoch"; channel: number; epoch: number }
  | { t: "gap"; channel: number; offset: number }
  | { t: "size"; channel: number; cols: number; rows: number }
  | { t: "done"; id: number; error?: string };

const OUTPUT = 1;
const INPUT = 2;
const ACK = 3;
const INPUT_ACK = 4;
const HEADER = 11; // kind, channel u16, position u64

export type Frame =
  | { kind: "output"; channel: number; offset: number; bytes: Uint8Array }
  | { kind: "input-ack"; channel: number; position: number };

export function encodeInput(channel: number, position: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER + bytes.length);
  header(frame, INPUT, channel, position);
  frame.set(bytes, HEADER);
  return frame;
}

export function encodeAck(channel: number, offset: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER);
  header(frame, ACK, channel, offset);
  return frame;
}

/** The frame in a binary message, or null for one of an unknown kind. */
export function decodeFrame(data: ArrayBuffer): Frame | null {
  if (data.byteLength < HEADER) return null;
  const view = new DataView(data);
  const channel = view.getUint16(1);
  // Positions stay below 2^53: at a gigabyte a second that is a hundred days.
  const position = Number(view.getBigUint64(3));
  switch (view.getUint8(0)) {
    case OUTPUT:
      return { kind: "output", channel, offset: position, bytes: new Uint8Array(data, HEADER) };
    case INPUT_ACK:
      return { kind: "input-ack", channel, position };
    default:
      return null;
  }
}

function header(frame: Uint8Array<ArrayBuffer>, kind: number, channel: number, position: number): void {
  const view = new DataView(frame.buffer);
  view.setUint8(0, kind);
  view.setUint16(1, channel);
  view.setBigUint64(3, BigInt(position));
}
