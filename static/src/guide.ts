// The guide: the server has made it of the instructor's Markdown. Here its
// command blocks get their buttons, and it stays where it was read to.

import { copy, h } from "./dom.ts";
import { toast } from "./dialog.ts";
import { icon } from "./icons.ts";
import { load, save } from "./store.ts";

export interface GuideOptions {
  slug: string;
  title: string; // what the page says already
  readonly: boolean;
  type: (node: string, text: string) => void;
}

const PREFIX = "step-";

/**
 * Gives what the guide has named names of its own: a heading "Terminals" is not
 * the page's place for terminals. Gives its headings by the id they had.
 */
export function claimSteps(guide: HTMLElement): Map<string, string> {
  const all = new Map<string, string>();
  for (const e of guide.querySelectorAll<HTMLElement>("[id]")) {
    if (/^H[1-6]$/.test(e.tagName)) all.set(e.id, e.textContent?.trim() ?? e.id);
    e.id = PREFIX + e.id;
  }
  for (const a of guide.querySelectorAll<HTMLAnchorElement>('a[href^="#"]')) a.setAttribute("href", `#${PREFIX}${a.getAttribute("href")!.slice(1)}`);
  return all;
}

/** A heading of the guide. */
export function stepHeading(id: string): HTMLElement | null {
  return document.getElementById(PREFIX + id);
}

export function startGuide(guide: HTMLElement, o: GuideOptions): void {
  const first = guide.firstElementChild;
  if (first && /^H[1-3]$/.test(first.tagName) && first.textContent?.trim() === o.title) first.classList.add("visually-hidden");
  for (const pre of guide.querySelectorAll<HTMLPreElement>("pre")) dress(pre, o);
  remember(guide, o.slug);
}

function dress(pre: HTMLPreElement, o: GuideOptions): void {
  const code = (pre.textContent ?? "").replace(/\n+$/, "");
  const node = pre.dataset["node"];
  const copyButton = h(
    "button",
    {
      type: "button",
      class: "tool",
      title: "Copy",
      "aria-label": node ? `Copy the commands for ${node}` : "Copy",
      onclick: () => void copy(code).then((ok) => toast(ok ? "Copied." : "The browser did not allow copying.", ok ? "info" : "error")),
    },
    icon("copy"),
  );
  const typeButton =
    node && !o.readonly
      ? h(
          "button",
          {
            type: "button",
            class: "button button-small type-into",
            "data-type-into": node,
            title: `Types this at ${node}'s prompt. Read it there, then press Enter to run it.`,
            onclick: () => o.type(node, code),
          },
          icon("type"),
          `Type into ${node}`,
        )
      : null;
  const box = h("div", { class: node ? "command" : "listing" });
  pre.replaceWith(box);
  if (node) box.append(h("div", { class: "command-bar" }, h("span", { class: "command-node" }, node), h("span", { class: "push" }), typeButton, copyButton));
  box.append(pre);
  if (!node) box.append(copyButton);
  // A block wider than the guide scrolls, and must do so by keyboard too.
  if (pre.scrollWidth > pre.clientWidth) pre.tabIndex = 0;
}

function remember(guide: HTMLElement, slug: string): void {
  const key = `patchbay.lab.${slug}.guide`;
  const scroller = guide.closest<HTMLElement>(".guide-scroll") ?? guide;
  const at = load(key);
  if (typeof at === "number" && at > 0) scroller.scrollTop = at;
  let timer: ReturnType<typeof setTimeout> | undefined;
  scroller.addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(() => save(key, Math.round(scroller.scrollTop)), 300);
  });
}
