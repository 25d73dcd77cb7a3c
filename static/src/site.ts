// What pages other than the lab's need of script: little. They work without it.

import { startCatalog } from "./catalog.ts";
import { ask } from "./dialog.ts";
import { copy } from "./dom.ts";
import { startLive } from "./live.ts";
import { startTheme } from "./theme.ts";

startTheme();

// <form data-confirm="Delete the token?" data-confirm-action="Delete"> asks first.
document.addEventListener("submit", (e) => {
  const form = e.target as HTMLFormElement;
  const question = form.dataset["confirm"];
  if (!question || form.dataset["confirmed"]) return;
  e.preventDefault();
  const by = e.submitter;
  void ask({
    title: question,
    text: form.dataset["confirmText"] ? [form.dataset["confirmText"]] : [],
    action: form.dataset["confirmAction"] ?? (by?.textContent?.trim() || "Yes"),
    danger: form.dataset["confirmDanger"] !== undefined,
  }).then((yes) => {
    if (!yes) return;
    form.dataset["confirmed"] = "yes";
    form.requestSubmit(by);
  });
});

// <button data-copy="text"> or <button data-copy-from="id"> copies and says so.
document.addEventListener("click", (e) => {
  const b = (e.target as Element).closest<HTMLElement>("[data-copy], [data-copy-from]");
  if (!b) return;
  const from = b.dataset["copyFrom"];
  const value = b.dataset["copy"] ?? document.getElementById(from ?? "")?.textContent ?? "";
  void copy(value.trim()).then((ok) => {
    const label = b.dataset["label"] ?? b.textContent ?? "";
    b.dataset["label"] = label;
    b.textContent = ok ? "Copied" : "Not allowed";
    setTimeout(() => (b.textContent = label), 1500);
  });
});

// <input data-select> is there to be copied: touching it selects all of it.
document.addEventListener("focusin", (e) => {
  if (e.target instanceof HTMLInputElement && e.target.dataset["select"] !== undefined) e.target.select();
});

// <select data-submit> or a checkbox submits its form when it is changed.
document.addEventListener("change", (e) => {
  const field = (e.target as Element).closest<HTMLSelectElement | HTMLInputElement>("[data-submit]");
  field?.form?.requestSubmit();
});

// Times are the server's, in UTC; here they become the reader's own.
function localise(root: ParentNode): void {
  for (const t of root.querySelectorAll<HTMLTimeElement>("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    t.title = t.textContent ?? "";
    const dateOnly = t.dataset["format"] === "date" || !/\d:\d/.test(t.textContent ?? "");
    t.textContent = at.toLocaleString(undefined, dateOnly ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
  }
}
localise(document);

startLive(localise);
startCatalog();

// <input type="datetime-local" data-utc> holds UTC from the server and in what
// is sent to it; in between it shows the reader's own time.
const offset = (t: Date): number => t.getTimezoneOffset() * 60_000;
const field = (t: Date): string => (Number.isNaN(t.getTime()) ? "" : t.toISOString().slice(0, 16));
const zoned = [...document.querySelectorAll<HTMLInputElement>("input[data-utc]")];
for (const input of zoned) {
  if (!input.value) continue;
  const utc = new Date(input.value + "Z");
  input.value = field(new Date(utc.getTime() - offset(utc)));
}
for (const label of document.querySelectorAll("[data-zone]")) {
  label.textContent = `(${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}
document.addEventListener("formdata", (e) => {
  for (const input of zoned) {
    if (input.form === e.target && input.value) e.formData.set(input.name, field(new Date(input.value)));
  }
});
