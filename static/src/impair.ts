// The dialog that impairs a cable, or all cables of a segment.

import { sentence } from "./dialog.ts";
import { h } from "./dom.ts";
import type { Direction, Impairment, Op } from "./protocol.ts";
import { fields, impairmentOf } from "./wire.ts";

export interface Impairable {
  title: string; // of the dialog
  where: { node: string; interface: string } | { segment: string };
  names: { out: string; in: string }; // of the directions, in words
  now: { out?: Impairment | undefined; in?: Impairment | undefined };
}

type Which = "both" | Direction;

const TIME = "a time such as 20 ms or 1.5 s";
const PERCENT = "a percentage from 0 to 100";
const FIELDS: { name: string; label: string; unit: string; want: string; hint?: string }[] = [
  { name: "delay", label: "Delay", unit: "ms", want: TIME },
  { name: "jitter", label: "Jitter", unit: "ms", want: TIME },
  { name: "loss", label: "Loss", unit: "%", want: PERCENT },
  { name: "rate", label: "Rate", unit: "bit/s", want: "a rate such as 10M or 512k", hint: "10M, 512k" },
  { name: "queue", label: "Queue", unit: "frames", want: "a number of frames", hint: "100" },
  { name: "duplicate", label: "Duplicated", unit: "%", want: PERCENT },
  { name: "reorder", label: "Out of order", unit: "%", want: PERCENT },
  { name: "corrupt", label: "Corrupted", unit: "%", want: PERCENT },
];

/** Opens the dialog. Its button sends the operation, and the dialog stays with a sentence when that is refused. */
export function impairDialog(what: Impairable, act: (op: Op) => Promise<void>): void {
  const inputs = new Map<string, HTMLInputElement>();
  const problem = h("p", { class: "error", role: "alert", id: "impair-problem" });
  const distribution = h(
    "select",
    { id: "impair-distribution", name: "distribution" },
    h("option", { value: "uniform" }, "evenly"),
    h("option", { value: "normal" }, "normally"),
    h("option", { value: "pareto" }, "with a long tail (Pareto)"),
  );
  const which = h(
    "select",
    { id: "impair-direction", name: "direction", autofocus: true, onchange: () => fill() },
    h("option", { value: "both" }, "Both directions"),
    h("option", { value: "out" }, what.names.out),
    h("option", { value: "in" }, what.names.in),
  );
  const rows = FIELDS.map((f) => {
    const id = `impair-${f.name}`;
    const input = h("input", { id, name: f.name, autocomplete: "off", spellcheck: "false", inputmode: f.name === "rate" ? "text" : "decimal", placeholder: f.hint ?? "0" });
    inputs.set(f.name, input);
    return h("div", { class: "field" }, h("label", { for: id }, f.label, h("span", { class: "unit" }, ` ${f.unit}`)), input);
  });
  rows.splice(2, 0, h("div", { class: "field" }, h("label", { for: "impair-distribution" }, "Jitter spreads"), distribution));

  const now = (w: Which): Impairment | undefined => what.now[w === "in" ? "in" : "out"] ?? (w === "both" ? what.now.in : undefined);
  const chosen = () => which.value as Which;
  const fill = () => {
    const values = fields(now(chosen()));
    for (const [name, input] of inputs) input.value = values[name] ?? "";
    distribution.value = values["distribution"] ?? "uniform";
    tell("");
  };
  const tell = (message: string, at?: string) => {
    problem.textContent = message;
    problem.hidden = message === "";
    for (const [name, input] of inputs) {
      input.toggleAttribute("aria-invalid", false);
      if (name === at) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", problem.id);
        input.focus();
      } else input.removeAttribute("aria-describedby");
    }
  };
  const send = async (impair: Impairment) => {
    const op: Op = { do: "impair", ...what.where, impair };
    const w = chosen();
    if (w !== "both") op.direction = w;
    try {
      await act(op);
      d.close();
    } catch (e) {
      tell(sentence(e));
    }
  };
  const apply = () => {
    const values = Object.fromEntries([...inputs].map(([name, input]) => [name, input.value]));
    const got = impairmentOf({ ...values, distribution: distribution.value }, now(chosen())?.burst);
    if ("impair" in got) return void send(got.impair);
    const f = FIELDS.find((x) => x.name === got.wrong)!;
    tell(`${f.label} wants ${f.want}.`, got.wrong);
  };
  const d = h(
    "dialog",
    { "aria-labelledby": "impair-title", class: "impair" },
    h(
      "form",
      {
        method: "dialog",
        class: "dialog-body",
        novalidate: true,
        onsubmit: (e: SubmitEvent) => {
          e.preventDefault();
          apply();
        },
      },
      h("h2", { id: "impair-title" }, what.title),
      h("div", { class: "field" }, h("label", { for: "impair-direction" }, "Direction"), which),
      h("div", { class: "impair-fields" }, ...rows),
      problem,
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "button button-quiet", "data-testid": "impair-perfect", onclick: () => void send({}) }, "Perfect wire"),
        h("span", { class: "push" }),
        h("button", { type: "button", class: "button", onclick: () => d.close() }, "Cancel"),
        h("button", { class: "button button-primary", "data-testid": "impair-apply" }, "Apply"),
      ),
    ),
  );
  const before = document.activeElement;
  const mark = ["data-port", "data-segment", "data-list"].find((n) => before?.hasAttribute(n));
  d.addEventListener("close", () => {
    d.remove();
    // The drawing has been made anew meanwhile: what had the focus is another element now.
    const again = before?.isConnected || !mark ? before : document.querySelector(`[${mark}="${CSS.escape(before!.getAttribute(mark)!)}"]`);
    if (again instanceof HTMLElement || again instanceof SVGElement) again.focus({ preventScroll: true });
  });
  fill();
  document.body.append(d);
  d.showModal();
}
