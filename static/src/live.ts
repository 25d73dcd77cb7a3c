// <div id="…" data-live="2500"> is part of a page about something that goes on:
// it is fetched anew every so many milliseconds for as long as the server says
// so, and what [data-said] in it says is told to screen readers when it changes.

const OFFLINE = 5; // times the pause, when the server does not answer

export function startLive(dress: (root: ParentNode) => void): void {
  for (const part of document.querySelectorAll<HTMLElement>("[data-live][id]")) follow(part.id, part.outerHTML, dress);
}

function follow(id: string, before: string, dress: (root: ParentNode) => void): void {
  const part = () => document.getElementById(id);
  const pause = Number(part()?.dataset["live"]);
  if (!(pause > 0)) return;
  // What the server sent is compared, for the page's own has changed since.
  let last = before;
  const look = async (): Promise<void> => {
    if (document.hidden) return again(pause);
    let next: HTMLElement | null;
    try {
      const r = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (r.status >= 500) return again(OFFLINE * pause);
      next = r.ok ? new DOMParser().parseFromString(await r.text(), "text/html").getElementById(id) : null;
    } catch {
      return again(OFFLINE * pause);
    }
    if (!next) return location.reload(); // it is gone, or we are logged out: the page says which
    const old = part();
    if (!old) return;
    const goes = next.dataset["live"] !== undefined;
    if (next.outerHTML !== last) {
      last = next.outerHTML;
      replace(old, document.adoptNode(next), dress);
    }
    if (goes) again(pause);
  };
  const again = (wait: number): void => void setTimeout(() => void look(), wait);
  again(pause);
}

function replace(old: HTMLElement, next: HTMLElement, dress: (root: ParentNode) => void): void {
  const says = (e: HTMLElement) => e.querySelector("[data-said]")?.textContent?.trim() ?? "";
  const before = says(old);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  dress(next);
  old.replaceWith(next);
  const now = says(next);
  const said = document.getElementById("said");
  if (said && now !== before) said.textContent = now;
  if (focused) (document.getElementById(focused.id) ?? document.getElementById("main"))?.focus({ preventScroll: true });
}
