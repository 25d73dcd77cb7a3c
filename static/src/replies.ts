// Terminals answer questions that programs print: where the cursor is, what
// kind of terminal this is. When the past is shown again, so are the questions,
// and their answers would land in a shell that never asked.

const ESC = "\x1b";
const answers = new RegExp(
  "^(?:" +
    [
      `${ESC}\\[[?>=]?[\\d;]*c`, // device attributes
      `${ESC}\\[\\??\\d+;\\d+(?:;\\d+)?R`, // cursor position
      `${ESC}\\[[03]n`, // status
      `${ESC}\\[\\?[\\d;]+n`, // colour scheme and printer
      `${ESC}\\[\\??[\\d;]+\\$y`, // modes
      `${ESC}\\[[\\d;]+t`, // window
      `${ESC}P[^${ESC}]*${ESC}\\\\`, // settings, version
      `${ESC}\\]\\d+;[^\\x07${ESC}]*(?:\\x07|${ESC}\\\\)`, // colours
    ].join("|") +
    ")+$",
);

export function isTerminalReply(data: string): boolean {
  return answers.test(data);
}
