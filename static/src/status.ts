// How a status looks and reads, wherever it is shown: a symbol beside the
// colour, and a word for those who see neither.

import type { Status } from "./protocol.ts";

interface Look {
  symbol: string;
  word: string;
  tone: "good" | "wait" | "bad" | "off";
}

const looks: Record<Status, Look> = {
  off: { symbol: "○", word: "off", tone: "off" },
  starting: { symbol: "◐", word: "starting", tone: "wait" },
  booting: { symbol: "◐", word: "booting", tone: "wait" },
  running: { symbol: "●", word: "running", tone: "good" },
  stopping: { symbol: "◐", word: "stopping", tone: "wait" },
  failed: { symbol: "▲", word: "failed", tone: "bad" },
};

export function look(s: Status): Look {
  return looks[s] ?? looks.off;
}
