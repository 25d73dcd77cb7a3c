// How terminals are arranged: groups of tabs, split into rows and columns.
// Everything here is a function from one arrangement to the next.

/** A terminal's key: node and console, "pc1/0". */
export type Key = string;

export interface Group {
  kind: "group";
  id: number;
  tabs: Key[];
  active: Key | null;
}

export interface Split {
  kind: "row" | "column";
  items: Layout[];
  sizes: number[]; // shares, of the same length as items, summing to 1
}

export type Layout = Group | Split;

export function keyOf(node: string, console: number): Key {
  return `${node}/${console}`;
}

export function parseKey(key: Key): { node: string; console: number } {
  const slash = key.lastIndexOf("/");
  return { node: key.slice(0, slash), console: Number(key.slice(slash + 1)) };
}

/** What a tab says: "pc1", and "pc1 · 2" for the second console. */
export function titleOf(key: Key): string {
  const { node, console } = parseKey(key);
  return console === 0 ? node : `${node} · ${console + 1}`;
}

export function group(id: number, tabs: Key[], active: Key | null = tabs[0] ?? null): Group {
  return { kind: "group", id, tabs, active };
}

/** The first arrangement: every node's first console, in two columns where there is room. */
export function initial(nodes: string[], columns: number): Layout {
  const keys = nodes.map((n) => keyOf(n, 0));
  if (columns < 2 || keys.length < 2) return group(1, keys);
  const half = Math.ceil(keys.length / 2);
  return { kind: "row", items: [group(1, keys.slice(0, half)), group(2, keys.slice(half))], sizes: [0.5, 0.5] };
}

export function groups(l: Layout): Group[] {
  return l.kind === "group" ? [l] : l.items.flatMap(groups);
}

export function keys(l: Layout): Key[] {
  return groups(l).flatMap((g) => g.tabs);
}

export function groupOf(l: Layout, key: Key): Group | undefined {
  return groups(l).find((g) => g.tabs.includes(key));
}

function nextID(l: Layout): number {
  return Math.max(0, ...groups(l).map((g) => g.id)) + 1;
}

function mapGroups(l: Layout, f: (g: Group) => Layout): Layout {
  if (l.kind === "group") return f(l);
  return { ...l, items: l.items.map((i) => mapGroups(i, f)) };
}

/** Shows a terminal: where it is, or as a new tab of the group. */
export function open(l: Layout, key: Key, groupID?: number): Layout {
  const home = groupOf(l, key) ?? groups(l).find((g) => g.id === groupID) ?? groups(l)[0]!;
  return mapGroups(l, (g) => {
    if (g.id !== home.id) return g;
    return { ...g, tabs: g.tabs.includes(key) ? g.tabs : [...g.tabs, key], active: key };
  });
}

export function close(l: Layout, key: Key): Layout {
  return tidy(mapGroups(l, (g) => without(g, key)));
}

function without(g: Group, key: Key): Group {
  const at = g.tabs.indexOf(key);
  if (at < 0) return g;
  const tabs = g.tabs.filter((k) => k !== key);
  const active = g.active === key ? (tabs[Math.min(at, tabs.length - 1)] ?? null) : g.active;
  return { ...g, tabs, active };
}

/** Puts a terminal into another group, before the tab at index. */
export function move(l: Layout, key: Key, groupID: number, index = Infinity): Layout {
  const taken = mapGroups(l, (g) => without(g, key));
  return tidy(
    mapGroups(taken, (g) => {
      if (g.id !== groupID) return g;
      const tabs = [...g.tabs];
      tabs.splice(Math.min(index, tabs.length), 0, key);
      return { ...g, tabs, active: key };
    }),
  );
}

/** Puts a terminal, new or not, into a group of its own beside or below another. */
export function split(l: Layout, groupID: number, kind: "row" | "column", key: Key): Layout {
  const fresh = group(nextID(l), [key]);
  const taken = mapGroups(l, (g) => without(g, key));
  return tidy(mapGroups(taken, (g) => (g.id === groupID ? { kind, items: [g, fresh], sizes: [0.5, 0.5] } : g)));
}

/** Drops empty groups (but the last) and splits of one, and joins splits of the same direction. */
export function tidy(l: Layout): Layout {
  return prune(l) ?? group(1, []);
}

function prune(l: Layout): Layout | null {
  if (l.kind === "group") return l.tabs.length > 0 ? l : null;
  const items: Layout[] = [];
  const sizes: number[] = [];
  l.items.forEach((item, i) => {
    const kept = prune(item);
    const size = l.sizes[i]!;
    if (!kept) return;
    if (kept.kind === l.kind) {
      items.push(...kept.items);
      sizes.push(...kept.sizes.map((s) => s * size));
    } else {
      items.push(kept);
      sizes.push(size);
    }
  });
  if (items.length === 0) return null;
  if (items.length === 1) return items[0]!;
  const sum = sizes.reduce((a, b) => a + b, 0);
  return { kind: l.kind, items, sizes: sizes.map((s) => s / sum) };
}

/** What an arrangement's boxes are, whatever tabs lie in them. */
export function shape(l: Layout): string {
  if (l.kind === "group") return String(l.id);
  return `${l.kind}(${l.items.map((item, i) => `${shape(item)}:${l.sizes[i]}`).join(" ")})`;
}

/** Reads an arrangement that was stored; null for anything but a sound one. */
export function parse(value: unknown, valid: (key: Key) => boolean): Layout | null {
  const seen = new Set<Key>();
  let id = 0;
  const read = (v: unknown, depth: number): Layout => {
    if (typeof v !== "object" || v === null || depth > 8) throw new Error("no layout");
    const o = v as Record<string, unknown>;
    if (o["kind"] === "group" && Array.isArray(o["tabs"])) {
      const tabs: Key[] = [];
      for (const k of o["tabs"]) {
        if (typeof k !== "string" || !valid(k) || seen.has(k)) continue;
        seen.add(k);
        tabs.push(k);
      }
      const active = tabs.find((t) => t === o["active"]) ?? tabs[0] ?? null;
      return group(++id, tabs, active);
    }
    const { kind, items, sizes } = o;
    if ((kind !== "row" && kind !== "column") || !Array.isArray(items) || !Array.isArray(sizes)) throw new Error("no layout");
    if (items.length !== sizes.length || items.length > 16) throw new Error("no layout");
    if (!sizes.every((s) => typeof s === "number" && s > 0.01 && s <= 1)) throw new Error("no layout");
    return { kind, items: items.map((i) => read(i, depth + 1)), sizes: sizes as number[] };
  };
  try {
    const l = tidy(read(value, 0));
    return keys(l).length > 0 ? l : null;
  } catch {
    return null;
  }
}
