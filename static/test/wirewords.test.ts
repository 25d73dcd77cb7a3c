import assert from "node:assert/strict";
import { test } from "node:test";
import { graph } from "../src/graph.ts";
import type { Impairment, PortState, State } from "../src/protocol.ts";
import { cableWords, eventWords, fields, impairmentOf, impairWords, read, segmentWords, vlanWords, warnings } from "../src/wire.ts";
import { state } from "./wire.ts";

const port = (node: string, more: Partial<PortState> = {}): PortState => ({
  node,
  interface: "eth0",
  tx_frames: 0,
  tx_bytes: 0,
  rx_frames: 0,
  rx_bytes: 0,
  drops: 0,
  ...more,
});

/** Two nodes on a link, as the ports say. */
function link(a: Partial<PortState>, b: Partial<PortState>, more: object = {}): State {
  const node = (name: string) => ({
    name,
    status: "running" as const,
    image: "",
    kernel: "",
    memory: 0,
    consoles: 1,
    interfaces: [{ name: "eth0", segment: "far", mac: "", up: true, plugged: true }],
  });
  return {
    ...state("now"),
    nodes: [node("r1"), node("r2")],
    segments: [{ name: "far", kind: "link", ports: [port("r1", a), port("r2", b)], ...more }],
  };
}

const far: Impairment = { delay: "20ms", jitter: "2ms", loss: 0.01, rate: "10M" };

test("an impairment in words", () => {
  assert.equal(impairWords(far), "20 ms ± 2 ms, 1 % lost, 10 Mbit/s");
  assert.equal(impairWords({ burst: { good_to_bad: 0.01, bad_to_good: 0.3 }, duplicate: 0.005, rate: 1000001 }), "lost in bursts, 1000001 bit/s, 0.5 % doubled");
  assert.deepEqual(cableWords(port("a", { out: far, in: far })), ["⇄ 20 ms ± 2 ms, 1 % lost, 10 Mbit/s"]);
  assert.deepEqual(cableWords(port("a", { out: { loss: 0.5 }, in: { delay: "1s" } })), ["out 50 % lost", "in 1 s"]);
  assert.deepEqual(cableWords(port("a")), []);
});

test("a link that is bad both ways says so once, in its middle", () => {
  const both = graph(link({ out: far }, { out: far })).cables[0]!;
  assert.equal(both.wire, "⇄ 20 ms ± 2 ms, 1 % lost, 10 Mbit/s");
  assert.deepEqual([both.a.wire, both.b!.wire], [[], []]);
  const one = graph(link({ out: far }, {})).cables[0]!;
  assert.equal(one.wire, "");
  assert.deepEqual([one.a.wire.length, one.b!.wire.length], [1, 0]);
});

test("VLANs of an interface in words", () => {
  const i = { name: "eth0", mac: "", up: true, plugged: true };
  assert.equal(vlanWords(i), "");
  assert.equal(vlanWords({ ...i, vlan: 10 }), "vlan 10");
  assert.equal(vlanWords({ ...i, trunk: [10, 20], native: 10 }), "trunk 10 20, native 10");
  assert.equal(vlanWords({ ...i, mirror: true }), "mirror");
});

test("loops and storms are said in a sentence, in the same words while they last", () => {
  const loop = (rate: number) => link({}, {}, { loop: { since: "now", ports: ["r1/eth0", "r2/eth0"], frames_per_second: rate } });
  const said = warnings(loop(1000), null);
  assert.deepEqual(said, ["far: a loop is flooding this segment – unplug one of r1/eth0 or r2/eth0."]);
  assert.deepEqual(warnings(loop(2000), loop(1000)), said);
  const two = loop(1000);
  two.segments!.push({ ...two.segments![0]!, name: "near", loop: { since: "now", ports: ["r3/eth0"], frames_per_second: 1 } });
  assert.deepEqual(warnings(two, null), ["far and near: a loop is flooding these segments – unplug one of r1/eth0, r2/eth0 or r3/eth0."]);
  assert.match(warnings(link({ storm: 5 }, {}), link({ storm: 4 }, {}))[0]!, /^far: r1\/eth0 sends more broadcasts/);
  assert.deepEqual(warnings(link({ storm: 5 }, {}), link({ storm: 5 }, {})), []);
  assert.deepEqual(warnings(link({ storm: 5 }, {}), null), []);
});

test("what an uplink denies is said when it happens", () => {
  const denied = (...all: [string, number][]) => ({
    kind: "uplink" as const,
    uplink: {
      allow: ["*.example.org:80"],
      stats: { flows: 0, carried: 0, bytes: 0, refused: 0, spent: false, no_ping: false, denied: all.map(([destination, count]) => ({ destination, count, last: "now" })) },
    },
  });
  const none = link({}, {}, denied());
  const one = link({}, {}, denied(["www.example.net", 1]));
  const again = link({}, {}, denied(["www.example.net", 2]));
  const two = link({}, {}, denied(["192.0.2.1:80/tcp", 1], ["www.example.net", 2]));
  assert.deepEqual(warnings(one, null), []);
  assert.deepEqual(warnings(one, none), ["far: this uplink does not let anyone reach www.example.net."]);
  assert.deepEqual(warnings(one, one), []);
  assert.deepEqual(warnings(again, one), ["far: this uplink does not let anyone reach www.example.net."]);
  assert.deepEqual(warnings(two, none), ["far: this uplink does not let anyone reach 192.0.2.1:80/tcp or www.example.net."]);
  assert.match(segmentWords(two.segments![0]!), /reaches \*\.example\.org:80, 2 destinations denied$/);
});

test("events in words", () => {
  assert.equal(eventWords({ on: "far", do: "cut", at_ms: 30000, done: 1 }), "far: cable pulled");
  assert.equal(eventWords({ on: "pc1/eth0", do: "drop", frame: "icmp", nth: 3, done: 1 }), "pc1/eth0: frame dropped (icmp)");
  assert.equal(eventWords({ on: "lan", do: "delay", frame: "arp", delay_ms: 200, done: 2 }), "lan: frame delayed by 200 ms (arp)");
  assert.equal(eventWords({ on: "pc2", do: "impair", impair: { loss: 0.5 }, done: 1 }), "pc2: cable changed: 50 % lost");
  assert.equal(eventWords({ on: "pc2", do: "impair", impair: {}, done: 1 }), "pc2: cable changed: nothing done to frames");
});

test("what is typed into the dialog", () => {
  assert.deepEqual(["20", "20 ms", "1.5s", "1m30s", "", "0", "-1", "soon"].map(read.time), ["20ms", "20ms", "1.5s", "1m30s", "", "", null, null]);
  assert.deepEqual(["1", "0,5 %", "100%", "", "101", "x"].map(read.share), [0.01, 0.005, 1, 0, null, null]);
  assert.deepEqual(["10M", "512 kbit/s", "9600", "", "fast"].map(read.rate), ["10M", "512k", "9600", "", null]);
  assert.deepEqual(["50", "", "1.5", "-1"].map(read.queue), [50, 0, null, null]);
  assert.deepEqual(impairmentOf({ ...fields(undefined), loss: "lots" }), { wrong: "loss" });
});

test("fields show what they are read as", () => {
  const c: Impairment = { delay: "20ms", jitter: "2ms", distribution: "pareto", loss: 0.01, duplicate: 0.005, rate: "10M", queue: 50 };
  assert.deepEqual(impairmentOf(fields(c)), { impair: c });
  assert.deepEqual(impairmentOf(fields({})), { impair: {} });
});
