package lint

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/param"
)

var (
	v4Pattern = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?\b`)
	v6Pattern = regexp.MustCompile(`[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:/\d{1,3})?`)
)

// literals looks for what is typed where a parameter is meant, in the guide, in
// lab.yaml but for the parameters themselves, and in the solution.
func (l *linter) literals() {
	if len(l.lab.Parameters) == 0 {
		return
	}
	if l.guide != nil {
		l.literalsOf("guide.md", l.rawGuide, 0, 0)
	}
	first, _ := l.yaml.line("parameters")
	l.literalsOf("lab.yaml", l.yaml.text, first, l.yaml.end("parameters"))
	for _, s := range l.lab.Solution {
		file := path.Join("solution", s.Node+".sh")
		if raw, err := fs.ReadFile(l.fsys, path.Join(l.dir, file)); err == nil {
			l.literalsOf(file, text(raw), 0, 0)
		}
	}
}

// literalsOf looks at each line but those from first to last.
func (l *linter) literalsOf(file, text string, first, last int) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if n >= first && n <= last {
			continue
		}
		l.literalsIn(file, n, line)
	}
}

func (l *linter) literalsIn(file string, n int, line string) {
	said := map[string]bool{}
	for _, word := range append(v4Pattern.FindAllString(line, -1), v6Pattern.FindAllString(line, -1)...) {
		typed, whole, ok := address(word)
		if !ok {
			continue
		}
		for i := range l.lab.Parameters {
			d := &l.lab.Parameters[i]
			from := d.Network
			if !from.IsValid() {
				from = d.Address
			}
			// The range itself, or what it lies in, may be spoken of.
			spoken := typed.Bits() <= from.Bits() || !whole && typed.Addr() == from.Masked().Addr()
			if !from.IsValid() || !from.Contains(typed.Addr()) || spoken || said[word] {
				continue
			}
			said[word] = true
			l.find(file, n, "literal", fmt.Sprintf("write ((%s)) or a part of it, or draw it from a range that this is not in", d.Name),
				"%s lies in %s, where the parameter %s is drawn from, so it is right for one student at most", word, from, d.Name)
		}
	}
	for _, v := range l.lab.Values.All() {
		number, err := strconv.Atoi(v.Text)
		small := err == nil && number < 1000 // may be anything
		switch v.Kind {
		case param.KindSecret, param.KindMAC, param.KindNumber:
			if !small && hasWord(line, v.Text) {
				l.find(file, n, "literal", fmt.Sprintf("write ((%s))", v.Param), "%s is what your own copy of the lab shows for the parameter %s, and others get another", v.Text, v.Param)
			}
		}
	}
}

// address reads an address or a network; whole says that it came with a length.
func address(word string) (p netip.Prefix, whole, ok bool) {
	if p, err := netip.ParsePrefix(word); err == nil {
		return p, true, true
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		return netip.Prefix{}, false, false
	}
	return netip.PrefixFrom(a, a.BitLen()), false, true
}
