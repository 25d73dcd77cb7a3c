// What is said of cables and segments: impairments, VLANs, loops.

import type { EventState, Impairment, InterfaceState, PortState, SegmentState, State } from "./protocol.ts";

/** An impairment in a few words, the most important first: "20 ms ± 2 ms, 1 % lost, 10 Mbit/s". */
export function impairWords(c: Impairment): string {
  const words: string[] = [];
  if (c.delay || c.jitter) words.push(`${spaced(c.delay ?? "0ms")}${c.jitter ? ` ± ${spaced(c.jitter)}` : ""}`);
  if (c.loss) words.push(`${share(c.loss)} lost`);
  if (c.burst) words.push("lost in bursts");
  if (c.rate) words.push(`${rate(c.rate)}`);
  if (c.duplicate) words.push(`${share(c.duplicate)} doubled`);
  if (c.reorder) words.push(`${share(c.reorder)} out of order`);
  if (c.corrupt) words.push(`${share(c.corrupt)} corrupted`);
  return words.join(", ");
}

/** What a port's cable does, a line for each direction, or one for both. */
export function cableWords(p: PortState | undefined): string[] {
  const out = p?.out ? impairWords(p.out) : "";
  const into = p?.in ? impairWords(p.in) : "";
  if (out === into) return out ? [`⇄ ${out}`] : [];
  return [out && `out ${out}`, into && `in ${into}`].filter((w) => w !== "");
}

/** An interface's part in VLANs, or nothing. */
export function vlanWords(i: InterfaceState): string {
  if (i.mirror) return "mirror";
  if (i.vlan) return `vlan ${i.vlan}`;
  if (!i.trunk?.length) return "";
  const shown = i.trunk.length > 6 ? [...i.trunk.slice(0, 6), "…"] : i.trunk;
  return `trunk ${shown.join(" ")}${i.native ? `, native ${i.native}` : ""}`;
}

/** A segment in words. */
export function segmentWords(g: SegmentState): string {
  const words = [`${g.name}: ${g.kind === "uplink" ? "an uplink to the world outside" : `a ${g.kind}`}`];
  if (g.mtu && g.mtu !== 1500) words.push(`MTU ${g.mtu}`);
  if (g.vlans?.length) words.push(`VLANs ${g.vlans.join(", ")}`);
  if (g.mirror) words.push(`mirrored to ${g.mirror}`);
  if (g.uplink?.allow?.length) words.push(`reaches ${g.uplink.allow.join(", ")}`);
  const denied = g.uplink?.stats?.denied?.length;
  if (denied) words.push(`${denied === 1 ? "one destination" : `${denied} destinations`} denied`);
  return words.join(", ");
}

/** What an event of the lab's has done, in words: "frame dropped on lan (icmp)". */
export function eventWords(e: EventState): string {
  const set = e.impair ? impairWords(e.impair) || "nothing done to frames" : "";
  const what = {
    drop: "frame dropped",
    delay: `frame delayed by ${e.delay_ms} ms`,
    duplicate: "frame doubled",
    corrupt: "frame corrupted",
    cut: "cable pulled",
    restore: "cable put back in",
    impair: `cable changed: ${set}`,
  }[e.do];
  return `${e.on}: ${what}${e.frame ? ` (${e.frame})` : ""}`;
}

/** What is wrong with the wire, a sentence each. They change only with what is wrong, so that they can be read aloud. */
export function warnings(st: State, before: State | null): string[] {
  const out: string[] = [];
  const loops = (st.segments ?? []).filter((g) => g.loop);
  const ports = [...new Set(loops.flatMap((g) => g.loop?.ports ?? []))];
  if (loops.length === 1) out.push(`${loops[0]!.name}: a loop is flooding this segment – unplug one of ${either(ports)}.`);
  else if (loops.length > 1) {
    out.push(`${listed(loops.map((g) => g.name), "and")}: a loop is flooding these segments – unplug one of ${either(ports)}.`);
  }
  for (const g of st.segments ?? []) {
    if (g.uplink?.trouble) out.push(`${g.name}: ${g.uplink.trouble}`);
    const old = before?.segments?.find((x) => x.name === g.name);
    const barred = before && deniedSince(g, old);
    if (barred && barred.length > 0) out.push(`${g.name}: this uplink does not let anyone reach ${listed(barred.slice(0, 3), "or")}.`);
    if (g.loop) continue;
    const loud = (g.ports ?? []).filter((p) => {
      const was = old?.ports?.find((x) => x.node === p.node && x.interface === p.interface);
      return was && (p.storm ?? 0) > (was.storm ?? 0);
    });
    if (loud.length > 0) {
      out.push(`${g.name}: ${loud.map((p) => `${p.node}/${p.interface}`).join(", ")} sends more broadcasts than this segment lets through; the rest is dropped.`);
    }
  }
  return out;
}

/** Destinations that were denied since an older state, the latest first. */
function deniedSince(g: SegmentState, old: SegmentState | undefined): string[] {
  const counts = new Map((old?.uplink?.stats?.denied ?? []).map((d) => [d.destination, d.count]));
  return (g.uplink?.stats?.denied ?? []).filter((d) => d.count > (counts.get(d.destination) ?? 0)).map((d) => d.destination);
}

function either(ports: string[]): string {
  return listed(ports, "or");
}

function listed(names: string[], last: string): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`;
}

/** "20ms" as "20 ms"; "1m30s" stays. */
function spaced(t: string): string {
  return t.replace(/^([\d.]+)(ns|µs|us|ms|s)$/, "$1 $2");
}

export function share(v: number | string): string {
  if (typeof v === "string") return v;
  return `${Number((v * 100).toPrecision(6))} %`;
}

export function rate(v: number | string): string {
  if (typeof v === "number") return `${v} bit/s`;
  return v.replace(/^([\d.]+)([kMGT])$/, "$1 $2bit/s");
}

// ---- The dialog's fields ----

/** A field's text to what the server reads, or null when it is no such quantity. "" is none. */
export const read = {
  /** A time: "20ms", or a bare number of milliseconds. */
  time(s: string): string | null {
    const t = s.trim().replace(",", ".").replace(/\s+/g, "");
    if (t === "" || /^0(\.0*)?$/.test(t)) return "";
    if (/^\d+(\.\d+)?$/.test(t)) return `${t}ms`;
    return /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(t) ? t : null;
  },
  /** A share in percent, with or without the sign, as 0…1. */
  share(s: string): number | null {
    const t = s.trim().replace(",", ".").replace(/\s*%$/, "");
    if (t === "") return 0;
    const v = Number(t);
    return Number.isFinite(v) && v >= 0 && v <= 100 ? v / 100 : null;
  },
  /** A rate: "10M", "512k", or bits a second. */
  rate(s: string): string | null {
    const t = s.trim().replace(",", ".").replace(/\s*(bit(\/s)?|bps)$/i, "").replace(/\s+/g, "");
    if (t === "" || t === "0") return "";
    return /^\d+(\.\d+)?[kKmMgGtT]?$/.test(t) ? t : null;
  },
  queue(s: string): number | null {
    const t = s.trim();
    if (t === "") return 0;
    return /^\d{1,6}$/.test(t) ? Number(t) : null;
  },
};

/** What the fields show of an impairment. */
export function fields(c: Impairment | undefined): Record<string, string> {
  const percent = (v: number | string | undefined) => (v ? share(v).replace(/\s*%$/, "") : "");
  return {
    delay: c?.delay ? spaced(c.delay) : "",
    jitter: c?.jitter ? spaced(c.jitter) : "",
    distribution: c?.distribution ?? "uniform",
    loss: percent(c?.loss),
    duplicate: percent(c?.duplicate),
    reorder: percent(c?.reorder),
    corrupt: percent(c?.corrupt),
    rate: c?.rate ? String(c.rate) : "",
    queue: c?.queue ? String(c.queue) : "",
  };
}

/** The impairment that fields say, or the name of one that cannot be read. */
export function impairmentOf(f: Record<string, string>, burst?: Impairment["burst"]): { impair: Impairment } | { wrong: string } {
  const c: Impairment = {};
  for (const name of ["delay", "jitter"] as const) {
    const v = read.time(f[name] ?? "");
    if (v === null) return { wrong: name };
    if (v) c[name] = v;
  }
  if (c.jitter && f["distribution"] && f["distribution"] !== "uniform") c.distribution = f["distribution"] as "normal" | "pareto";
  for (const name of ["loss", "duplicate", "reorder", "corrupt"] as const) {
    const v = read.share(f[name] ?? "");
    if (v === null) return { wrong: name };
    if (v) c[name] = v;
  }
  const rate = read.rate(f["rate"] ?? "");
  if (rate === null) return { wrong: "rate" };
  if (rate) c.rate = rate;
  const queue = read.queue(f["queue"] ?? "");
  if (queue === null) return { wrong: "queue" };
  if (queue) c.queue = queue;
  if (burst) c.burst = burst;
  return { impair: c };
}
