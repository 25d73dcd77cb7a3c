// The terminals' sixteen colours, for both schemes. Each but the darkest and
// lightest has 4.5:1 against the background, so that ls and ip are readable.

import type { ITheme } from "@xterm/xterm";

const dark: ITheme = {
  background: "#161b21",
  foreground: "#dfe3e7",
  cursor: "#f09a63",
  cursorAccent: "#161b21",
  selectionBackground: "#4a5a6a80",
  selectionInactiveBackground: "#c8641f99", // what a search has found
  black: "#2a323b",
  red: "#f7857a",
  green: "#7fc99a",
  yellow: "#e0b763",
  blue: "#82b1f0",
  magenta: "#d59ae0",
  cyan: "#70c8cf",
  white: "#cfd5da",
  brightBlack: "#8a95a0",
  brightRed: "#ffa79e",
  brightGreen: "#a2e0b7",
  brightYellow: "#f2d38e",
  brightBlue: "#abcdfa",
  brightMagenta: "#e8bdf0",
  brightCyan: "#9be2e8",
  brightWhite: "#ffffff",
};

const light: ITheme = {
  background: "#fdfcfa",
  foreground: "#242b32",
  cursor: "#9c4415",
  cursorAccent: "#fdfcfa",
  selectionBackground: "#c9b7a880",
  selectionInactiveBackground: "#f0a27199",
  black: "#242b32",
  red: "#ab2219",
  green: "#1a6e43",
  yellow: "#7d5300",
  blue: "#1d59a8",
  magenta: "#84329a",
  cyan: "#0b6870",
  white: "#62696f",
  brightBlack: "#5b636a",
  brightRed: "#c0392b",
  brightGreen: "#22804f",
  brightYellow: "#8f6100",
  brightBlue: "#2c6bbf",
  brightMagenta: "#9744ad",
  brightCyan: "#157a83",
  brightWhite: "#3c444b",
};

export function terminalTheme(isDark: boolean): ITheme {
  return isDark ? dark : light;
}
