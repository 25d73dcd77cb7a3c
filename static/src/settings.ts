// What a person sets for all terminals: the size of their type, and whether a
// screen reader reads them.

import { load, save } from "./store.ts";

const KEY = "patchbay.terminal";
export const FONT_SIZES = { least: 8, most: 32, usual: 13 };

interface Settings {
  fontSize: number;
  screenReader: boolean;
}

export const settings: Settings = read();
const listeners = new Set<() => void>();

export function onSettings(f: () => void): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}

export function change(s: Partial<Settings>): void {
  Object.assign(settings, s);
  settings.fontSize = Math.min(FONT_SIZES.most, Math.max(FONT_SIZES.least, settings.fontSize));
  save(KEY, settings);
  for (const f of listeners) f();
}

function read(): Settings {
  const o = (load(KEY) ?? {}) as Partial<Settings>;
  const size = o.fontSize;
  return {
    fontSize: typeof size === "number" && size >= FONT_SIZES.least && size <= FONT_SIZES.most ? size : FONT_SIZES.usual,
    screenReader: o.screenReader === true,
  };
}
