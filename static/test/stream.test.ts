import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Stream, type Link, type Stopped } from "../src/stream.ts";
import { FakeClock, FakeScreen, FakeSocket } from "./wire.ts";

const INPUT = 2;
const ACK = 3;
const bytes = (s: string) => new TextEncoder().encode(s);

let links: Link[] = [];
let refusal: Stopped | null = null;
let stream: Stream;
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
  clock.install();
  FakeSocket.all = [];
  links = [];
  refusal = null;
  stream = new Stream({
    url: "ws://h/stream",
    probe: () => Promise.resolve(refusal),
    onState: () => {},
    onLink: (l) => links.push(l),
    socket: (url) => new FakeSocket(url) as unknown as WebSocket,
    random: () => 1,
  });
  stream.open();
});

afterEach(() => {
  stream.close();
  clock.remove();
});

function socket(): FakeSocket {
  return FakeSocket.all.at(-1)!;
}

/** Lets promises settle. */
const settle = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

test("a session's name is what the server asks for", () => {
  assert.match(new URL(socket().url).searchParams.get("session")!, /^[A-Za-z0-9_-]{16,64}$/);
});

test("a channel attaches when there is a connection, from the beginning", () => {
  const screen = new FakeScreen();
  const c = stream.channel("pc1", 0, screen);
  assert.equal(socket().sent.length, 0);
  socket().accept();
  const [m] = socket().texts("attach");
  assert.deepEqual(
    { ...m, id: 0 },
    { t: "attach", id: 0, node: "pc1", console: 0, channel: c.id, epoch: 0, from: -1, cols: 80, rows: 24 },
  );
  socket().attached(c.id, { epoch: 7, offset: 100, head: 105 });
  socket().output(c.id, 100, "hello");
  assert.equal(screen.shown, "hello");
});

test("after a lost connection output goes on where it ended, without a byte twice", () => {
  const screen = new FakeScreen();
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  socket().output(c.id, 0, "hello ");
  socket().drop();
  clock.tick(200);
  socket().accept();
  const [m] = socket().texts("attach");
  assert.equal(m!["epoch"], 7);
  assert.equal(m!["from"], 6);
  socket().attached(c.id, { epoch: 7, offset: 6, head: 11 });
  socket().output(c.id, 3, "lo world"); // overlaps
  assert.equal(screen.shown, "hello world");
});

test("what was typed and not acknowledged is sent again, at its position", () => {
  const c = stream.channel("pc1", 0, new FakeScreen());
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  c.type(bytes("ls"));
  c.type(bytes(" -l"));
  assert.deepEqual(socket().frames(INPUT), [
    { channel: c.id, position: 0, text: "ls" },
    { channel: c.id, position: 2, text: " -l" },
  ]);
  socket().inputAck(c.id, 1);
  socket().drop();
  c.type(bytes("\r")); // while away
  clock.tick(200);
  socket().accept();
  assert.deepEqual(socket().frames(INPUT), [], "nothing before the rack has said what it has");
  socket().attached(c.id, { epoch: 7, offset: 0, input: 3 });
  assert.deepEqual(socket().frames(INPUT), [
    { channel: c.id, position: 3, text: "-l" },
    { channel: c.id, position: 5, text: "\r" },
  ]);
});

test("keys pressed before the first attach wait for it", () => {
  const c = stream.channel("pc1", 0, new FakeScreen());
  c.type(bytes("ls\r"));
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0, input: 40 });
  assert.deepEqual(socket().frames(INPUT), [{ channel: c.id, position: 40, text: "ls\r" }]);
});

test("a long paste goes in pieces that the server takes", () => {
  const c = stream.channel("pc1", 0, new FakeScreen());
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  assert.equal(c.type(bytes("x".repeat(100_000))), true);
  const frames = socket().frames(INPUT);
  assert.ok(frames.every((f) => f.text.length + 11 <= 64 << 10));
  assert.equal(frames.reduce((n, f) => n + f.text.length, 0), 100_000);
  assert.equal(c.type(bytes("x".repeat(300_000))), false, "more than is kept is refused whole");
  assert.equal(socket().frames(INPUT).length, frames.length);
});

test("output is acknowledged when it has been parsed, at once after 32 KiB and else within 100 ms", () => {
  const screen = new FakeScreen(true);
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 1000 });
  socket().output(c.id, 1000, "abc");
  clock.tick(1000);
  assert.deepEqual(socket().frames(ACK), [], "not before it is parsed");
  screen.parse();
  clock.tick(99);
  assert.deepEqual(socket().frames(ACK), []);
  clock.tick(1);
  assert.deepEqual(socket().frames(ACK), [{ channel: c.id, position: 1003, text: "" }]);
  socket().output(c.id, 1003, "y".repeat(40 << 10));
  screen.parse();
  assert.equal(socket().frames(ACK).at(-1)!.position, 1003 + (40 << 10), "at once");
});

test("output parsed after a reconnection is acknowledged on the new one", () => {
  const screen = new FakeScreen(true);
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  socket().output(c.id, 0, "abc");
  socket().drop();
  clock.tick(200);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 3 });
  socket().output(c.id, 3, "def");
  screen.parse();
  clock.tick(100);
  assert.deepEqual(socket().frames(ACK), [{ channel: c.id, position: 6, text: "" }]);
});

test("a reset clears the screen, and what was parsed late of the old epoch acknowledges nothing", () => {
  const screen = new FakeScreen(true);
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  socket().output(c.id, 0, "old old old");
  socket().json({ t: "epoch", channel: c.id, epoch: 8 });
  assert.equal(screen.shown, "");
  screen.parse();
  clock.tick(1000);
  assert.deepEqual(socket().frames(ACK), []);
  socket().output(c.id, 0, "new");
  assert.equal(screen.shown, "new");
});

test("keys meant for a machine that was reset meanwhile are not typed into its successor", () => {
  const screen = new FakeScreen();
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  socket().drop();
  c.type(bytes("rm -r /\r"));
  clock.tick(200);
  socket().accept();
  socket().attached(c.id, { epoch: 8, offset: 0, input: 0 });
  assert.deepEqual(socket().frames(INPUT), []);
  c.type(bytes("l"));
  assert.deepEqual(socket().frames(INPUT), [{ channel: c.id, position: 0, text: "l" }]);
});

test("a rack that was started anew is read from its beginning", () => {
  const screen = new FakeScreen();
  const c = stream.channel("pc1", 0, screen);
  socket().accept("2026-01-01T00:00:00Z");
  socket().attached(c.id, { epoch: 7, offset: 0, input: 0 });
  socket().output(c.id, 0, "old");
  c.type(bytes("abc"));
  socket().drop();
  clock.tick(200);
  socket().accept("2026-01-01T01:00:00Z");
  const [m] = socket().texts("attach");
  assert.equal(m!["from"], -1);
  assert.equal(screen.shown, "");
  socket().attached(c.id, { epoch: 7, offset: 0, input: 0 });
  c.type(bytes("d"));
  assert.deepEqual(socket().frames(INPUT), [{ channel: c.id, position: 0, text: "d" }]);
});

test("a gap is said, and output goes on behind it", () => {
  const screen = new FakeScreen();
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  socket().output(c.id, 0, "aaa");
  socket().json({ t: "gap", channel: c.id, offset: 9000 });
  socket().output(c.id, 9000, "zzz");
  assert.match(screen.shown, /^\[output came faster.*\]zzz$/);
  clock.tick(100);
  assert.equal(socket().frames(ACK).at(-1)!.position, 9003);
});

test("the past is marked as such until its last byte is parsed", () => {
  const screen = new FakeScreen(true);
  const c = stream.channel("pc1", 0, screen);
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0, head: 6 });
  assert.equal(screen.replays.at(-1), true);
  socket().output(c.id, 0, "abc");
  screen.parse();
  assert.equal(screen.replays.at(-1), true);
  socket().output(c.id, 3, "def");
  screen.parse();
  assert.equal(screen.replays.at(-1), false);
});

test("pauses between tries double from 0.2 s to 5 s, and begin anew after a connection", () => {
  const waits: number[] = [];
  const lose = () => {
    socket().readyState = 1;
    socket().onopen?.();
    socket().drop();
    const l = links.at(-1)!;
    assert.equal(l.is, "reconnecting");
    if (l.is === "reconnecting") waits.push(l.retryAt - Date.now());
    clock.tick(waits.at(-1)!);
  };
  for (let i = 0; i < 7; i++) lose();
  assert.deepEqual(waits, [200, 400, 800, 1600, 3200, 5000, 5000]);
  socket().accept();
  lose();
  assert.equal(waits.at(-1), 200);
});

test("the server's own close codes end it", () => {
  for (const [code, why] of [
    [4401, "signed-out"],
    [4403, "denied"],
    [4409, "ended"],
  ] as const) {
    stream.open();
    socket().accept();
    socket().drop(code);
    assert.deepEqual(links.at(-1), { is: "stopped", why });
    const before = FakeSocket.all.length;
    clock.tick(60_000);
    assert.equal(FakeSocket.all.length, before, "no more tries");
  }
});

test("a refused handshake is asked after", async () => {
  refusal = "signed-out";
  socket().drop();
  await settle();
  assert.deepEqual(links.at(-1), { is: "stopped", why: "signed-out" });
});

test("an operation's answer settles its promise, and so does a lost connection", async () => {
  socket().accept();
  const done = stream.do({ do: "restart", node: "pc1" });
  const failed = stream.do({ do: "plug", node: "pc1", interface: "eth9" });
  const [a, b] = socket().texts("do");
  socket().json({ t: "done", id: b!["id"] as number, error: "There is no eth9." });
  socket().json({ t: "done", id: a!["id"] as number });
  await done;
  await assert.rejects(failed, /There is no eth9\./);
  const lost = stream.do({ do: "stop", node: "pc1" });
  socket().drop();
  await assert.rejects(lost, /connection was lost/);
  await assert.rejects(stream.do({ do: "stop" }), /not connected/);
});

test("a connection that takes no keys for six seconds is given up", () => {
  const c = stream.channel("pc1", 0, new FakeScreen());
  socket().accept();
  socket().attached(c.id, { epoch: 7, offset: 0 });
  clock.tick(60_000);
  assert.equal(stream.link.is, "connected", "silence alone is no fault");
  c.type(bytes("x"));
  clock.tick(8000);
  assert.notEqual(stream.link.is, "connected");
});
