package grade

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What the kinds that are asked in a guest have in common.

// MaxTimeout bounds how long a program of a check may run.
const MaxTimeout = time.Minute

type reporter = func(field, fix, format string, args ...any)

func askNode(report reporter, node string) {
	if node == "" {
		report("node", "write the node's name", "the check names no node")
	}
}

func askRegex(report reporter, field, expr string) {
	if _, err := regexp.Compile(expr); err != nil {
		report(field, "", "this is no regular expression: %v", err)
	}
}

// askPrefix wants a network or an address; words are taken as they are.
func askPrefix(report reporter, field, text string, words ...string) {
	for _, w := range words {
		if text == w {
			return
		}
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return
	}
	if _, err := netip.ParseAddr(text); err != nil {
		report(field, "write it like 10.0.0.0/24 or fd00::/64", "%q is neither a network nor an address", text)
	}
}

func askAddr(report reporter, field, text string) {
	if text == "" {
		return
	}
	if _, err := netip.ParseAddr(text); err != nil {
		report(field, "write it like 10.0.0.1 or fd00::1", "%q is no address", text)
	}
}

func askOneOf(report reporter, field, text string, words ...string) {
	if text == "" {
		return
	}
	for _, w := range words {
		if text == w {
			return
		}
	}
	report(field, "write "+strings.Join(words, ", "), "%q is not known here", text)
}

// Barred takes the "!" from a word that is to be absent.
func Barred(word string) (rest string, barred bool) { return strings.CutPrefix(word, "!") }

// listed puts words into a sentence: "a", "a and b", "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// wanted puts words into a sentence, those with "!" behind a "not".
func wanted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if rest, barred := Barred(w); barred {
			out[i] = "not " + rest
		}
	}
	return listed(out)
}

// parts joins what is expected of one thing, the empty left out.
func parts(list ...string) string {
	var out []string
	for _, p := range list {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

// say is prefix and value, or nothing when there is no value.
func say(prefix, value string) string {
	if value == "" {
		return ""
	}
	return prefix + value
}

func sayInt(prefix string, n int) string {
	if n == 0 {
		return ""
	}
	return prefix + strconv.Itoa(n)
}

func sayBool(b *bool, yes, no string) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return yes
	}
	return no
}
