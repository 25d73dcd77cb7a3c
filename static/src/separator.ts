// A separator between two panes that a pointer drags and arrow keys move.

import { h } from "./dom.ts";

export interface SeparatorOptions {
  label: string;
  between: "columns" | "rows";
  least?: number; // share of the first pane
  most?: number;
  share: () => number; // of the first pane, 0 to 1
  /** Called while it moves; done says that the move has ended. */
  move: (share: number, done: boolean) => void;
  /** What the two panes fill together. */
  area: () => DOMRect;
  reset?: () => void; // double click
}

export function separator(o: SeparatorOptions): HTMLElement {
  const least = o.least ?? 0.12;
  const most = o.most ?? 0.88;
  const columns = o.between === "columns";
  const clamp = (x: number) => Math.min(most, Math.max(least, x));
  const bar = h("div", {
    class: `separator separator-${o.between}`,
    role: "separator",
    tabindex: "0",
    "aria-label": o.label,
    "aria-orientation": columns ? "vertical" : "horizontal",
    "aria-valuemin": Math.round(least * 100),
    "aria-valuemax": Math.round(most * 100),
    title: `${o.label}: drag, or use the arrow keys`,
  });
  const show = () => bar.setAttribute("aria-valuenow", String(Math.round(o.share() * 100)));
  const go = (share: number, done: boolean) => {
    o.move(clamp(share), done);
    show();
  };
  bar.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    e.preventDefault();
    bar.setPointerCapture(e.pointerId);
    bar.focus({ preventScroll: true });
    bar.classList.add("is-dragged");
    const at = (m: PointerEvent) => {
      const r = o.area();
      return columns ? (m.clientX - r.left) / r.width : (m.clientY - r.top) / r.height;
    };
    const moved = (m: PointerEvent) => go(at(m), false);
    const ended = (m: PointerEvent) => {
      bar.classList.remove("is-dragged");
      bar.removeEventListener("pointermove", moved);
      bar.removeEventListener("pointerup", ended);
      bar.removeEventListener("pointercancel", ended);
      go(m.type === "pointerup" ? at(m) : o.share(), true);
    };
    bar.addEventListener("pointermove", moved);
    bar.addEventListener("pointerup", ended);
    bar.addEventListener("pointercancel", ended);
  });
  bar.addEventListener("keydown", (e) => {
    const less = columns ? "ArrowLeft" : "ArrowUp";
    const more = columns ? "ArrowRight" : "ArrowDown";
    if (e.key === less) go(o.share() - 0.02, true);
    else if (e.key === more) go(o.share() + 0.02, true);
    else if (e.key === "Home") go(least, true);
    else if (e.key === "End") go(most, true);
    else return;
    e.preventDefault();
  });
  if (o.reset) {
    bar.addEventListener("dblclick", () => {
      o.reset!();
      show();
    });
  }
  show();
  return bar;
}
