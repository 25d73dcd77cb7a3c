// Line icons on a 16 by 16 grid, drawn in the text's colour.

import { s } from "./dom.ts";

const paths = {
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  splitRight: "M2.5 3.5h11v9h-11zM8 3.5v9",
  splitDown: "M2.5 3.5h11v9h-11zM2.5 8h11",
  search: "M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4M10.2 10.2L13.5 13.5",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  type: "M2.5 4l4 4-4 4M8 12.5h5.5",
  dots: "M8 3.4v.2M8 7.9v.2M8 12.4v.2",
  guide: "M3 3h4a1.5 1.5 0 0 1 1 1.2A1.5 1.5 0 0 1 9 3h4v9H9a1 1 0 0 0-1 1a1 1 0 0 0-1-1H3zM8 4.2V13",
  list: "M3 4h10M3 8h10M3 12h10",
  drawing: "M2.5 9.5h4v4h-4zM9.5 2.5h4v4h-4zM6.5 10l3.5-3.5",
  tick: "M3 8.5l3.3 3.5L13 4.5",
  help: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12.4v.2",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
} as const;

export type Icon = keyof typeof paths;

export function icon(name: Icon): SVGSVGElement {
  return s(
    "svg",
    { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "icon" },
    s("path", {
      d: paths[name],
      fill: "none",
      stroke: "currentColor",
      "stroke-width": name === "dots" ? 2.2 : 1.4,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    }),
  );
}
