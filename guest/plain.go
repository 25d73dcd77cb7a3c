package guest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainLines turns a guest's console output into at most n lines of text that
// may be shown anywhere: no escape sequences, no control characters, valid
// UTF-8, no line longer than 200 characters. The bytes are the guest's, so
// nothing is assumed of them.
func plainLines(b []byte, n int) string {
	var lines []string
	var line strings.Builder
	width := 0
	end := func() {
		if s := strings.TrimRightFunc(line.String(), unicode.IsSpace); s != "" {
			lines = append(lines, s)
		}
		line.Reset()
		width = 0
	}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == 0x1b:
			size = escapeLen(b)
		case r == '\n':
			end()
		case r == '\t':
			r = ' '
			fallthrough
		case unicode.IsPrint(r) && r != utf8.RuneError:
			if width++; width <= 200 {
				line.WriteRune(r)
			}
		}
		b = b[size:]
	}
	end()
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// escapeLen is the length of the escape sequence that b begins with: CSI up to
// its final byte, a string (OSC, DCS, …) up to its terminator, else two bytes.
// A sequence that does not end takes no more than the line it stands on.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return len(b)
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			switch {
			case b[i] == '\n':
				return i
			case b[i] >= 0x40 && b[i] <= 0x7e:
				return i + 1
			}
		}
		return len(b)
	case ']', 'P', '^', '_', 'X':
		for i := 2; i < len(b); i++ {
			switch {
			case b[i] == '\n':
				return i
			case b[i] == 0x07:
				return i + 1
			case b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\':
				return i + 2
			}
		}
		return len(b)
	case '\n':
		return 1
	}
	return 2
}
