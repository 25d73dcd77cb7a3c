// The catalog's search as one types, and what leads to a lab as one points at
// it. Without script the form does the first, and the list says the second.

export function startCatalog(): void {
  const form = document.querySelector<HTMLFormElement>("[data-catalog-search]");
  if (form) search(form);
  const map = document.querySelector<SVGSVGElement>("svg.map");
  if (map) paths(map);
}

function search(form: HTMLFormElement): void {
  const cards = [...document.querySelectorAll<HTMLElement>("[data-catalog-lab]")];
  const count = document.querySelector<HTMLElement>("[data-catalog-count]");
  const none = document.querySelector<HTMLElement>("[data-catalog-none]");
  const clear = document.querySelector<HTMLElement>("[data-catalog-clear]");
  const unfiltered = count?.textContent ?? "";
  const begun = location.search !== "";
  let say = 0;

  const apply = (): void => {
    const data = new FormData(form);
    const value = (name: string): string => String(data.get(name) ?? "").trim();
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const topic = value("topic");
    const difficulty = value("difficulty");
    const all = words.length === 0 && !topic && !difficulty;
    const found = new Set<string>();
    for (const card of cards) {
      const { text = "", topic: its, difficulty: how, catalogLab = "" } = card.dataset;
      const is = (!topic || its === topic) && (!difficulty || how === difficulty) && words.every((w) => text.includes(w));
      card.hidden = !is;
      if (is) found.add(catalogLab);
    }
    for (const lane of document.querySelectorAll<HTMLElement>("[data-catalog-lane]")) {
      lane.hidden = !lane.querySelector("[data-catalog-lab]:not([hidden])");
    }
    for (const lab of document.querySelectorAll<SVGElement>(".map-lab")) {
      lab.classList.toggle("map-dim", !found.has(lab.dataset["lab"] ?? ""));
    }
    for (const edge of document.querySelectorAll<SVGElement>(".map-edge")) {
      edge.classList.toggle("map-dim", !found.has(edge.dataset["from"] ?? "") || !found.has(edge.dataset["to"] ?? ""));
    }
    if (none) none.hidden = found.size > 0;
    if (clear) clear.hidden = all;
    const query = new URLSearchParams();
    for (const [k, v] of data) if (String(v).trim()) query.set(k, String(v).trim());
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    clearTimeout(say); // a screen reader hears the end of it, not each letter
    say = setTimeout(() => {
      if (count) count.textContent = all && !begun ? unfiltered : all ? `${cards.length} labs.` : `${found.size} of ${cards.length} labs.`;
    }, 300);
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    apply();
  });
  clear?.addEventListener("click", (e) => {
    e.preventDefault();
    for (const field of form.elements) {
      if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = "";
    }
    apply();
    form.querySelector<HTMLInputElement>("[name=q]")?.focus();
  });
}

/** Lights what a lab builds on, and what it leads to at once. */
function paths(map: SVGSVGElement): void {
  const edges = [...map.querySelectorAll<SVGElement>(".map-edge")];
  const labs = [...map.querySelectorAll<SVGElement>(".map-lab")];
  const light = (slug: string | undefined): void => {
    const before = new Set<string>(slug ? [slug] : []);
    const lit = new Set<SVGElement>();
    for (const s of before) { // grows as it is gone through
      for (const e of edges) {
        if (e.dataset["to"] !== s) continue;
        before.add(e.dataset["from"] ?? "");
        lit.add(e);
      }
    }
    for (const e of edges) {
      e.classList.toggle("map-lit", lit.has(e) || (slug !== undefined && e.dataset["from"] === slug));
    }
    for (const l of labs) l.classList.toggle("map-lit", before.has(l.dataset["lab"] ?? ""));
  };
  const slugOf = (e: Event): string | undefined =>
    (e.target as Element).closest<HTMLElement | SVGElement>("[data-lab], [data-catalog-lab]")?.dataset["lab"] ??
    (e.target as Element).closest<HTMLElement>("[data-catalog-lab]")?.dataset["catalogLab"];
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, (e) => light(slugOf(e)));
}
