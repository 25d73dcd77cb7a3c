// Small tools for making elements. Text only ever becomes text nodes and
// attributes, so nothing a guest or an instructor writes can become markup.

type Child = Node | string | null | false | undefined;
type Props = Record<string, string | number | boolean | null | undefined | ((e: never) => void)>;

/** Makes an HTML element: onclick etc. are listeners, true is an empty attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), props, children);
}

/** Makes an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill<E extends Element>(e: E, props: Props, children: Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") e.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) e.setAttribute(name, String(value));
  }
  e.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return e;
}

/** The element that a page must have. */
export function need(id: string): HTMLElement {
  const e = document.getElementById(id);
  if (!e) throw new Error(`the page has no #${id}`);
  return e;
}

export function button(label: string, onclick: () => void, props: Props = {}): HTMLButtonElement {
  return h("button", { type: "button", class: "button button-small", onclick, ...props }, label);
}

/** Sets an attribute only when it changes, which spares the browser work and a screen reader noise. */
export function attr(e: Element, name: string, value: string | null): void {
  if (value === null) e.removeAttribute(name);
  else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

export function text(e: Element, value: string): void {
  if (e.textContent !== value) e.textContent = value;
}

/** Copies to the clipboard; says whether that worked. */
export async function copy(value: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    // Plain HTTP has no clipboard API; a hidden field and the old command do.
    const field = h("textarea", { class: "visually-hidden", readonly: true, "aria-hidden": "true" });
    field.value = value;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const ok = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return ok;
  }
}
