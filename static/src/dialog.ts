// Dialogs and menus.

import { h } from "./dom.ts";

export interface Question {
  title: string;
  text: string[]; // paragraphs
  action: string; // what the button that does it says
  danger?: boolean;
}

/** Asks; true when the person says yes. Escape and "Cancel" are no. */
export function ask(q: Question): Promise<boolean> {
  const yes = h(
    "button",
    { value: "yes", class: `button button-primary ${q.danger ? "button-danger" : ""}`, "data-testid": "confirm" },
    q.action,
  );
  const no = h("button", { value: "no", class: "button", autofocus: true }, "Cancel");
  const title = h("h2", { id: "dialog-title" }, q.title);
  const form = h(
    "form",
    { method: "dialog", class: "dialog-body" },
    title,
    ...q.text.map((t) => h("p", {}, t)),
    h("div", { class: "actions" }, no, yes),
  );
  const d = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  return new Promise((resolve) => {
    d.addEventListener("close", () => {
      resolve(d.returnValue === "yes");
      d.remove();
    });
    document.body.append(d);
    d.showModal();
  });
}

/** Shows something to read, with a button to close it. */
export function show(title: string, ...content: (Node | null)[]): void {
  const d = h(
    "dialog",
    { "aria-labelledby": "dialog-title", class: "dialog-wide" },
    h(
      "form",
      { method: "dialog", class: "dialog-body" },
      h("h2", { id: "dialog-title" }, title),
      ...content,
      h("div", { class: "actions" }, h("button", { class: "button", autofocus: true }, "Close")),
    ),
  );
  d.addEventListener("close", () => d.remove());
  document.body.append(d);
  d.showModal();
}

export interface MenuItem {
  label: string;
  action: () => void;
  danger?: boolean;
  disabled?: boolean;
  id?: string; // data-action, for tests
}

/** Opens a menu at a point or below an element. Arrow keys move, Escape closes, focus returns. */
export function menu(at: Element | { x: number; y: number }, title: string, items: (MenuItem | "line")[]): void {
  document.querySelector(".menu")?.remove();
  const before = document.activeElement;
  const box = h("div", { class: "menu", role: "menu", "aria-label": title }, h("h4", { role: "presentation" }, title));
  for (const item of items) {
    if (item === "line") {
      box.append(h("hr"));
      continue;
    }
    const run = () => {
      close();
      item.action();
    };
    box.append(
      h(
        "button",
        {
          type: "button",
          role: "menuitem",
          tabindex: "-1",
          class: item.danger ? "danger" : null,
          disabled: item.disabled ?? false,
          "data-action": item.id,
          onclick: run,
        },
        item.label,
      ),
    );
  }
  const close = () => {
    if (!box.isConnected) return;
    removeEventListener("pointerdown", outside, true);
    box.remove();
    if (before instanceof HTMLElement || before instanceof SVGElement) before.focus({ preventScroll: true });
  };
  const outside = (e: PointerEvent) => {
    if (!box.contains(e.target as Node)) close();
  };
  box.addEventListener("keydown", (e) => {
    const all = [...box.querySelectorAll<HTMLButtonElement>("button:not(:disabled)")];
    const now = all.indexOf(document.activeElement as HTMLButtonElement);
    const go = (i: number) => all[(i + all.length) % all.length]?.focus();
    if (e.key === "ArrowDown") go(now + 1);
    else if (e.key === "ArrowUp") go(now < 0 ? -1 : now - 1);
    else if (e.key === "Home") go(0);
    else if (e.key === "End") go(-1);
    else if (e.key === "Escape" || e.key === "Tab") close();
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
  document.body.append(box);
  const r = at instanceof Element ? at.getBoundingClientRect() : null;
  const x = r ? r.left : (at as { x: number }).x;
  const y = r ? r.bottom + 4 : (at as { y: number }).y;
  box.style.left = `${Math.max(8, Math.min(x, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${Math.max(8, y + box.offsetHeight > innerHeight - 8 ? (r ? r.top - 4 : y) - box.offsetHeight : y)}px`;
  box.querySelector<HTMLButtonElement>("button:not(:disabled)")?.focus();
  addEventListener("pointerdown", outside, true);
}

/** Says something briefly, on the screen and to screen readers. */
export function toast(message: string, kind: "info" | "error" = "info"): void {
  let tray = document.getElementById("toasts");
  if (!tray) {
    tray = h("div", { id: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(tray);
  }
  const t = h("div", { class: `toast ${kind === "error" ? "toast-error" : ""}` }, message);
  tray.append(t);
  setTimeout(() => t.remove(), kind === "error" ? 9000 : 4000);
}

/** What to say of something that went wrong. */
export function sentence(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
