// What a browser remembers of a page. A browser may refuse to, and anything
// may stand in storage: who loads checks.

export function load(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

export function save(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Then it is not remembered.
  }
}
