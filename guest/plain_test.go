package guest_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/patchbay/patchbay/guest"
)

func TestPlainLines(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"lines", "a\r\nb\r\n", "a\nb"},
		{"the last three", "1\n2\n3\n4\n5", "3\n4\n5"},
		{"blank lines go", "a\n\n \nb", "a\nb"},
		{"colours", "\x1b[01;31mred\x1b[0m", "red"},
		{"a title", "\x1b]0;evil title\x07prompt$ ", "prompt$"},
		{"a title ended by ST", "\x1b]0;evil\x1b\\ok", "ok"},
		{"a title that never ends takes its line alone", "\x1b]0;evil\nnext", "next"},
		{"an escape at the end", "a\x1b", "a"},
		{"half a sequence", "a\x1b[12;", "a"},
		{"bell and backspace", "a\x07\x08b", "ab"},
		{"not UTF-8", "a\xff\xfeb", "ab"},
		{"UTF-8 stays", "größer → ok", "größer → ok"},
		{"bidi overrides go", "a\u202eb", "ab"},
		{"C1 controls go", "a\u009b31mb", "a31mb"},
		{"tabs become spaces", "a\tb", "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := guest.PlainLines([]byte(tt.in), 3); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzPlainLines(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b]0;title\x07\r\nsecond\xff line\x1b"))
	f.Add([]byte("\x1bP+q\x1b\\\x1b[\n\x1b]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := guest.PlainLines(b, 5)
		if !utf8.ValidString(s) {
			t.Errorf("not UTF-8: %q", s)
		}
		for _, r := range s {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q holds %U", s, r)
			}
		}
		for _, line := range strings.Split(s, "\n") {
			if n := utf8.RuneCountInString(line); n > 200 {
				t.Errorf("a line of %d characters", n)
			}
		}
		if n := strings.Count(s, "\n"); n > 4 {
			t.Errorf("%d lines", n+1)
		}
	})
}

func TestTail(t *testing.T) {
	all := make([]byte, 5*guest.TailBytes)
	for i := range all {
		all[i] = byte(i * 7 >> 3)
	}
	for _, step := range []int{1, 3, 100, guest.TailBytes - 1, guest.TailBytes, guest.TailBytes + 1, 3 * guest.TailBytes} {
		var tail guest.Tail
		for at := 0; at < len(all); {
			n := min(step, len(all)-at)
			tail.Write(all[at : at+n])
			at += n
			want := all[max(0, at-guest.TailBytes):at]
			if got := tail.Bytes(); !bytes.Equal(got, want) {
				t.Fatalf("after %d bytes in steps of %d it does not hold the last %d", at, step, len(want))
			}
		}
	}
}
