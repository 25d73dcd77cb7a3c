// The search bar of a terminal, loaded when it is first asked for.

import type { SearchAddon } from "@xterm/addon-search";
import type { Terminal } from "@xterm/xterm";
import { button, h, text } from "./dom.ts";

export function searchBar(search: SearchAddon, term: Terminal): HTMLElement {
  const decorations = {
    matchBackground: "#8a6a2f",
    matchOverviewRuler: "#e0b04a",
    activeMatchBackground: "#c8641f",
    activeMatchColorOverviewRuler: "#f09a63",
  };
  const field = h("input", { type: "search", "aria-label": "Search this terminal", placeholder: "Search", spellcheck: "false" });
  const count = h("span", { class: "muted small", role: "status" });
  const close = () => {
    search.clearDecorations();
    bar.remove();
    term.focus();
  };
  const next = (incremental: boolean) => search.findNext(field.value, { decorations, incremental });
  const previous = () => search.findPrevious(field.value, { decorations });
  field.addEventListener("input", () => next(true));
  field.addEventListener("keydown", (e) => {
    if (e.key === "Escape") close();
    else if (e.key === "Enter" && e.shiftKey) previous();
    else if (e.key === "Enter") next(false);
    else return;
    e.preventDefault();
  });
  search.onDidChangeResults(({ resultIndex, resultCount }) => {
    text(count, field.value === "" ? "" : resultCount === 0 ? "none" : `${resultIndex + 1} of ${resultCount}`);
  });
  const bar = h(
    "div",
    { class: "search-bar", role: "search" },
    field,
    count,
    button("↑", previous, { "aria-label": "Previous match", title: "Previous (Shift+Enter)" }),
    button("↓", () => next(false), { "aria-label": "Next match", title: "Next (Enter)" }),
    button("✕", close, { "aria-label": "Close search", title: "Close (Escape)" }),
  );
  return bar;
}
