package labs

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// checkGuide finds the fenced code blocks of a guide that name a node which is
// not there: "```sh pc1" holds commands for pc1.
func checkGuide(guide text, nodes []string, probs *collector) {
	if guide.file == "" {
		return
	}
	if strings.TrimSpace(guide.s) == "" {
		probs.add(mark{guide.file, 1, 1}, "write what a student is to do", "the guide is empty")
		return
	}
	fence := "" // the open one
	n := 0
	for line := range strings.Lines(guide.s) {
		n++
		indent := len(line) - len(strings.TrimLeft(line, " "))
		run := fenceOf(strings.TrimRight(line[indent:], "\r\n"))
		info := strings.TrimSpace(line[indent+len(run):])
		switch {
		case fence != "":
			if run != "" && run[0] == fence[0] && len(run) >= len(fence) && info == "" {
				fence = ""
			}
		case run != "" && !(run[0] == '`' && strings.Contains(info, "`")):
			fence = run
			words := strings.Fields(info)
			if len(words) < 2 || words[0] != "sh" {
				continue
			}
			before, _, _ := strings.Cut(line, "sh")
			rest := strings.TrimPrefix(line[len(before):], "sh")
			col := utf8.RuneCountInString(before) + 2 + len(rest) - len(strings.TrimLeft(rest, " \t")) + 1
			at := mark{guide.file, n, col}
			if len(words) > 2 {
				probs.add(at, "make a block for each node", "a code block names more than one node")
			} else if !slices.Contains(nodes, words[1]) {
				probs.add(at, didYouMean(words[1], nodes, "name one of "+strings.Join(nodes, ", ")), "there is no node %s", quoteShort(words[1]))
			}
		}
	}
}

// fenceOf is the run of at least three ` or ~ that a line begins with.
func fenceOf(s string) string {
	if s == "" || s[0] != '`' && s[0] != '~' {
		return ""
	}
	n := len(s) - len(strings.TrimLeft(s, s[:1]))
	if n < 3 {
		return ""
	}
	return s[:n]
}
