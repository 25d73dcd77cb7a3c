// The help dialog: keys, and the two settings that terminals have.

import { show } from "./dialog.ts";
import { button, h } from "./dom.ts";
import { change, FONT_SIZES, settings } from "./settings.ts";

const keys: [string, string][] = [
  ["Ctrl+Shift+1 … 9", "Go to a terminal"],
  ["Ctrl+Shift+← →", "Terminal before, terminal after"],
  ["Ctrl+Shift+↑", "Leave the terminal for its tab; ↓ goes back"],
  ["Ctrl+Shift+C, V", "Copy, paste"],
  ["Ctrl+Shift+F", "Search the terminal"],
  ["Ctrl+Shift+E, O", "Split to the right, split below"],
  ["Ctrl+Shift+ + − 0", "Larger, smaller, usual type"],
  ["Ctrl+click", "Open a link that a terminal shows"],
  ["Shift+F10", "On a machine in the drawing: its actions"],
];

/** checks says whether the lab can be checked. */
export function showHelp(checks: boolean): void {
  const size = h("span", { class: "mono" }, `${settings.fontSize} px`);
  const set = (by: number) => {
    change({ fontSize: by === 0 ? FONT_SIZES.usual : settings.fontSize + by });
    size.textContent = `${settings.fontSize} px`;
  };
  const reader = h("input", { type: "checkbox", id: "screen-reader", checked: settings.screenReader });
  reader.addEventListener("change", () => change({ screenReader: reader.checked }));
  show(
    "Help",
    h(
      "p",
      {},
      "Every machine in the drawing is a Linux computer on which you are root. Click one for its terminal; “⋮” or a right click starts, stops and resets it. ",
      "Click the ring at the end of a cable to unplug it. What you break stays on your machines: “Reset” brings back the beginning.",
    ),
    h(
      "p",
      {},
      "Stopping the lab keeps your files. Closing this page keeps everything running for a while; terminals show what was missed.",
    ),
    checks
      ? h("p", {}, "“Check” tries what the guide asks for and says what it found; do it as often as you like. A check has a point of view: on the wire, on the disk, or inside the machine. Click its badge to read what that means.")
      : null,
    h("h3", {}, "Keys"),
    h("table", { class: "keys" }, h("tbody", {}, ...(checks ? [["Ctrl+Shift+Enter", "Check the lab"] as [string, string], ...keys] : keys).map(([k, what]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, k)), h("td", {}, what))))),
    h("h3", {}, "Terminals"),
    h("div", { class: "row" }, "Type size", button("−", () => set(-1), { "aria-label": "Smaller" }), size, button("+", () => set(1), { "aria-label": "Larger" })),
    h("label", { class: "choice" }, reader, "Let screen readers read the terminals"),
  );
}
