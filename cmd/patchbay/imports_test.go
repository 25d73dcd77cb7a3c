package main_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/patchbay/patchbay"

// allowed says which of our folders the code of a folder may import. Packages
// below the same top-level folder may import one another unless inside says
// otherwise.
var allowed = map[string][]string{
	"cmd":        {"web", "labs", "guest", "vnet", "migrations", "static"},
	"web":        {"labs", "static", "guest", "vnet"},
	"labs":       {"guest", "vnet", "migrations"},
	"guest":      {},
	"vnet":       {},
	"migrations": {},
	"static":     {},
}

// inside are arrows within a top-level folder that must not be drawn: from →
// the only ones of our packages it may import.
var inside = map[string][]string{
	"cmd/guestd":   {"guest/agent"}, // runs in the guest: knows the protocol, nothing of the host
	"guest/agent":  {},
	"guest/image":  {"guest/apt", "guest/build"},
	"guest/kernel": {"guest/apt", "guest/build"},
	// The domain imports none of its implementations, but the words of the wire:
	// what an impairment, a filter and a rule are, and whether they are right.
	// And what a lab may say of checks and parameters.
	"labs":       {"labs/grade", "labs/param", "vnet/impair", "vnet/filter", "vnet/uplink"},
	"labs/grade": {"vnet/filter"},
	"labs/param": {},
}

// TestImportDirections holds the arrows of ARCHITECTURE.md: cmd → web → labs →
// (guest, vnet), and nothing back.
func TestImportDirections(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...").Output()
	if err != nil {
		var stderr []byte // not mixed into out, where downloads are told of
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = e.Stderr
		}
		t.Fatalf("go list: %v\n%s", err, stderr)
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		from := strings.TrimPrefix(words[0], module+"/")
		fromTop, _, _ := strings.Cut(from, "/")
		if _, known := allowed[fromTop]; !known {
			t.Errorf("%s lies in a top-level folder that the design does not have", from)
			continue
		}
		for _, imp := range words[1:] {
			to, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			seen++
			if only, strict := inside[from]; strict {
				if !slices.Contains(only, to) {
					t.Errorf("%s imports %s; it may import only %q of ours", from, to, only)
				}
				continue
			}
			toTop, _, _ := strings.Cut(to, "/")
			if toTop != fromTop && !slices.Contains(allowed[fromTop], toTop) {
				t.Errorf("%s imports %s, against the direction of the arrows", from, to)
			}
		}
	}
	if seen == 0 {
		t.Fatal("no import between our packages was seen: this test looked at nothing")
	}
}
