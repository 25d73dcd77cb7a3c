package filter

import (
	"fmt"
	"strings"
)

type kind uint8

const (
	end  kind = iota
	word      // a keyword, name, number or address
	name      // a word that a backslash keeps from being a keyword
	sign      // an operator or bracket
)

type token struct {
	kind kind
	text string // of a keyword or operator: its one spelling
	pos  int    // byte offset in the expression
}

func (t token) is(text string) bool { return t.text == text && (t.kind == word || t.kind == sign) }

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return fmt.Sprintf("%q", t.text)
}

// lexer cuts an expression into tokens. Colons and dashes belong to a word
// outside of brackets (addresses, ranges) and are operators within.
type lexer struct {
	src      string
	pos      int
	brackets int
}

var signs = []string{"<<", ">>", "<=", ">=", "==", "!=", "&&", "||"}

var spellings = map[string]string{"&&": "and", "||": "or", "!": "not", "==": "="}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.pos++
	}
	t := token{pos: l.pos}
	if l.pos == len(l.src) {
		return t, nil
	}
	rest := l.src[l.pos:]
	escaped := rest[0] == '\\'
	if escaped {
		rest = rest[1:]
	}
	if n := l.wordLen(rest); n > 0 {
		t.kind, t.text = word, rest[:n]
		l.pos += n
		if escaped {
			t.kind = name
			l.pos++
		}
		return t, nil
	}
	t.kind = sign
	for _, s := range signs {
		if strings.HasPrefix(rest, s) {
			t.text = s
		}
	}
	if t.text == "" && rest != "" && strings.IndexByte("()[]+-*/%&|^<>=!:", rest[0]) >= 0 {
		t.text = rest[:1]
	}
	if t.text == "" || escaped {
		return t, &Error{Pos: l.pos, Expr: l.src, Text: fmt.Sprintf("%q means nothing here", []rune(l.src[l.pos:])[0])}
	}
	l.pos += len(t.text)
	switch t.text {
	case "[":
		l.brackets++
	case "]":
		l.brackets--
	}
	if s, ok := spellings[t.text]; ok {
		t.text = s
	}
	if t.text == "and" || t.text == "or" || t.text == "not" {
		t.kind = word
	}
	return t, nil
}

// wordLen is how many bytes of s are one word.
func (l *lexer) wordLen(s string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c == '.' && n > 0:
		case c == ':' && l.brackets == 0 && (n > 0 || strings.HasPrefix(s, "::")):
		case c == '-' && n > 0 && n+1 < len(s) && alnum(s[n+1]) && (l.brackets == 0 || letter(s[0]) && letter(s[n+1])):
		default:
			return n
		}
		n++
	}
	return n
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func alnum(c byte) bool  { return letter(c) || c >= '0' && c <= '9' }

// Error says what is wrong with an expression.
type Error struct {
	Expr string
	Pos  int // offset in Expr, in bytes
	Text string
}

func (e *Error) Error() string {
	return fmt.Sprintf("the filter %q, character %d: %s", shorten(e.Expr), len([]rune(e.Expr[:e.Pos]))+1, e.Text)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}
