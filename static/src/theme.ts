// The colour scheme: the system's, or what the person chose instead.

export type Theme = "auto" | "light" | "dark";

const KEY = "patchbay.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

let chosen: Theme = "auto"; // what storage says, or would say if there were any

export function storedTheme(): Theme {
  return chosen;
}

/** What is shown now. */
export function isDark(): boolean {
  return chosen === "auto" ? dark.matches : chosen === "dark";
}

export function setTheme(t: Theme): void {
  try {
    localStorage.setItem(KEY, t);
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
  }
  apply(t);
}

/** Calls back whenever what isDark answers may have changed. */
export function onThemeChange(f: () => void): void {
  dark.addEventListener("change", f);
  addEventListener("patchbay-theme", f);
}

/** Puts the stored choice on the page, and keeps up with other tabs. */
export function startTheme(): void {
  apply(read());
  addEventListener("storage", (e) => {
    if (e.key === KEY) apply(read());
  });
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-toggle]")) {
    const label = () => {
      const words = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[storedTheme()];
      button.title = words;
      button.setAttribute("aria-label", words);
      button.dataset["theme"] = storedTheme();
    };
    button.addEventListener("click", () => {
      const next = { auto: "light", light: "dark", dark: "auto" } as const;
      setTheme(next[storedTheme()]);
    });
    addEventListener("patchbay-theme", label);
    label();
  }
}

function read(): Theme {
  try {
    const t = localStorage.getItem(KEY);
    return t === "light" || t === "dark" ? t : "auto";
  } catch {
    return "auto";
  }
}

function apply(t: Theme): void {
  chosen = t;
  if (t === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = t;
  dispatchEvent(new Event("patchbay-theme"));
}
