package kathara_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs/kathara"
)

// TestNewerBIND: options that would keep BIND from starting become comments,
// each with a note, and nothing else does.
func TestNewerBIND(t *testing.T) {
	im, err := kathara.Read(fstest.MapFS{
		"lab.conf":                       {Data: []byte("ns[0]=A\n")},
		"ns/etc/bind/named.conf.options": {Data: []byte("options {\n  dnssec-enable no;\n  recursion no;\n\tfilter-aaaa-on-v4 yes;\n};\n")},
		"ns/etc/bind/db.dnssec":          {Data: []byte("dnssec-enable no;\n")},
	}, "lab")
	if err != nil {
		t.Fatal(err)
	}
	var texts, notes []string
	for _, f := range im.Files {
		texts = append(texts, string(f.Data))
	}
	for _, n := range im.Notes {
		notes = append(notes, n.String())
	}
	all, said := strings.Join(texts, "\x00"), strings.Join(notes, "\n")
	for _, want := range []string{"\n//   dnssec-enable no;\n  recursion no;\n// \tfilter-aaaa-on-v4 yes;\n};", "dnssec-enable no;\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("no file holds %q", want)
		}
	}
	for _, want := range []string{"named.conf.options:2: dnssec-enable", "named.conf.options:4: filter-aaaa-on-v4"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q in\n%s", want, said)
		}
	}
	if strings.Contains(said, "db.dnssec") {
		t.Errorf("a zone was changed:\n%s", said)
	}
}
