package engine

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/patchbay/patchbay/labs/grade"
)

// What a result may hold, however much a guest has to say.
const (
	maxSentence = 1 << 10  // bytes
	maxEvidence = 64 << 10 // bytes of one piece
	maxPieces   = 4
)

// tidy makes a sentence, in which there may be a guest's words, fit for a
// terminal and a page: one line, nothing that moves a cursor, not too long.
func tidy(s string) string {
	cut := false
	if len(s) > maxSentence {
		s, cut = s[:maxSentence], true
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, strings.TrimSpace(s))
	if cut {
		s = strings.TrimRight(s, "\uFFFD") + "…"
	}
	return s
}

// bound keeps evidence within its limits.
func bound(all []grade.Evidence) []grade.Evidence {
	if len(all) > maxPieces {
		all = all[:maxPieces]
	}
	out := make([]grade.Evidence, 0, len(all))
	for _, e := range all {
		e.Name = tidy(e.Name)
		if len(e.Data) > maxEvidence {
			e.Data, e.Cut = e.Data[:maxEvidence:maxEvidence], true
		}
		out = append(out, e)
	}
	return out
}
