package labs

import "strings"

// What a guide may hold of that which takes a renderer more time than its
// length: openings of links and the like within a piece of text, which are each
// looked for an end; nested quotes and lists; headings, whose ids have to
// differ; cells of tables, of which a short line makes as many as its head has.
const (
	maxPiece    = 16 << 10 // bytes between two empty lines
	maxSigns    = 1500     // of markup, between two empty lines
	maxMarkers  = 16       // of quotes and lists, at the beginning of a line
	maxIndent   = 100      // columns
	maxHeadings = 1000
	maxCells    = 50_000
)

// signs may each begin something that ends elsewhere.
const signs = "[]*_`<~!&\\:@"

// checkBounds refuses a guide that would take long to render, and says whether
// it may be. It goes through
// it once, and counts with no regard to what is code: it must not understand
// something otherwise than a renderer does.
func checkBounds(guide text, probs *collector) bool {
	var size, marks, lines, pipes, start, headings, cells, n int
	complain := func(line int, hint, format string, args ...any) bool {
		probs.add(mark{guide.file, line, 1}, hint, format, args...)
		return false
	}
	for line := range strings.Lines(guide.s) {
		n++
		body := strings.TrimRight(line, " \t\r\n")
		if body == "" {
			cells += lines * pipes
			size, marks, lines, pipes = 0, 0, 0, 0
			continue
		}
		if size == 0 {
			start = n
		}
		size += len(line)
		lines++
		here := 0 // markers
		rest := strings.TrimLeft(body, " \t")
		for rest != "" && here <= maxMarkers {
			next := marker(rest)
			if next == 0 {
				break
			}
			here++
			rest = strings.TrimLeft(rest[next:], " \t")
		}
		for i := range len(body) {
			if strings.IndexByte(signs, body[i]) >= 0 {
				marks++
			}
		}
		pipes = max(pipes, strings.Count(body, "|"))
		if strings.HasPrefix(rest, "#") || strings.Trim(rest, "=") == "" || strings.Trim(rest, "-") == "" {
			headings++
		}
		switch {
		case here > maxMarkers:
			return complain(n, "write it flatter", "quotes and lists are nested more than %d deep", maxMarkers)
		case len(body)-len(strings.TrimLeft(body, " \t")) > maxIndent:
			return complain(n, "write it flatter", "a line is indented by more than %d columns", maxIndent)
		case size > maxPiece:
			return complain(start, "put empty lines into it", "more than %d KiB are without an empty line", maxPiece>>10)
		case marks > maxSigns:
			return complain(start, "put empty lines into it", "more than %d signs of markup are without an empty line", maxSigns)
		case headings > maxHeadings:
			return complain(n, "make fewer of them", "the guide has more than %d headings and rules", maxHeadings)
		case cells+lines*pipes > maxCells:
			return complain(start, "make the tables smaller", "the guide's tables have more than %d cells", maxCells)
		}
	}
	return true
}

// marker is the length of the sign of a quote or a list that s begins with.
func marker(s string) int {
	switch s[0] {
	case '>':
		return 1
	case '-', '+', '*':
		if len(s) == 1 || s[1] == ' ' || s[1] == '\t' {
			return 1
		}
		return 0
	}
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if n > 0 && n < 10 && n < len(s) && (s[n] == '.' || s[n] == ')') {
		return n + 1
	}
	return 0
}
