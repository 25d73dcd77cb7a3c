package grade_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/grade"
)

// TestValidateWireAndDisk: each has one mistake, at one field.
func TestValidateWireAndDisk(t *testing.T) {
	lan := grade.At{Segment: "lan"}
	to := netip.MustParseAddr("10.0.0.1")
	less, uid := 1, int64(3)
	for want, k := range map[string]grade.Kind{
		"segment":        &grade.Ping{To: to},
		"from":           &grade.Ping{At: lan, From: "r1", To: to},
		"to":             &grade.Ping{At: lan},
		"by":             &grade.Ping{At: lan, To: to, By: "r1/"},
		"count":          &grade.Ping{At: lan, To: to, Count: 100},
		"answers":        &grade.Ping{At: lan, To: to, Answers: 4},
		"nat":            &grade.Ping{At: lan, To: to, NAT: true},
		"size":           &grade.Ping{From: "r1", To: to, Size: 20},
		"address[0]":     &grade.Answers{At: grade.At{Segment: "lan", Address: []string{"10.0.0.9"}}, To: to},
		"gateway":        &grade.Trace{At: grade.At{Segment: "lan", Gateway: "r1"}, To: to},
		"hops[1]":        &grade.Trace{At: lan, To: to, Hops: []string{"*", "r1"}},
		"on":             &grade.Frames{},
		"filter":         &grade.Frames{On: "lan", Filter: "tcp prot 80"},
		"direction":      &grade.Frames{On: "r1", Direction: "both"},
		"min":            &grade.Frames{On: "lan", Min: 2, Max: &less},
		"regex":          &grade.Frames{On: "lan", Regex: "("},
		"cause":          &grade.Frames{On: "lan", Cause: &grade.Cause{At: lan}},
		"cause.node":     &grade.Frames{On: "lan", Cause: &grade.Cause{Run: []string{"true"}}},
		"cause.segment":  &grade.Frames{On: "lan", Cause: &grade.Cause{Ping: "10.0.0.1"}},
		"cause.connect":  &grade.Frames{On: "lan", Cause: &grade.Cause{At: lan, Connect: "10.0.0.1"}},
		"state":          &grade.Connect{At: lan, To: "10.0.0.1:1", State: "shut"},
		"server":         &grade.Resolve{At: lan, Name: "a.example"},
		"values":         &grade.Resolve{At: lan, Name: "a.example", Server: "10.0.0.1", Exact: true},
		"url":            &grade.Fetch{At: lan, URL: "ftp://10.0.0.1/"},
		"dns":            &grade.Fetch{At: lan, URL: "http://a.example/"},
		"sha256":         &grade.Fetch{At: lan, URL: "http://10.0.0.1/", SHA256: "12"},
		"header.Server":  &grade.Fetch{At: lan, URL: "http://10.0.0.1/", Header: map[string]string{"Server": "/(/"}},
		"range":          &grade.DHCP{At: lan, Range: "10.0.0.9-10.0.0.1"},
		"length":         &grade.DHCP{At: lan, Length: 33},
		"address":        &grade.DHCP{At: grade.At{Segment: "lan", Address: []string{"10.0.0.9/24"}}},
		"node":           &grade.File{Path: "/etc/hosts"},
		"path":           &grade.File{Node: "r1", Path: "/run/../run/x"},
		"mode":           &grade.File{Node: "r1", Path: "/x", Mode: "rw"},
		"kind":           &grade.File{Node: "r1", Path: "/x", Kind: "folder"},
		"absent":         &grade.File{Node: "r1", Path: "/x", Absent: true, Contains: []string{"x"}},
		"enabled":        &grade.File{Node: "r1", Path: "/x", Enabled: "ssh"},
		"max_size":       &grade.File{Node: "r1", Path: "/x", MinSize: 5, MaxSize: &uid},
		"settings.a.b":   &grade.File{Node: "r1", Path: "/x", Settings: map[string]string{"a.b": "/(/"}},
		"startup":        &grade.Declared{Node: "r1"},
		"no mistake: 1":  &grade.Ping{From: "r1/eth0", To: to, By: "r2"},
		"no mistake: 2":  &grade.Frames{On: "lan", Filter: "arp", Max: new(int)},
		"no mistake: 3":  &grade.Fetch{At: lan, URL: "https://a.example/", Connect: "10.0.0.1"},
		"no mistake: 4":  &grade.File{Node: "r1", Enabled: "ssh"},
		"no mistake: 5":  &grade.DHCP{At: lan, Range: "10.0.0.0/24"},
		"no mistake: 6":  &grade.Resolve{At: lan, Name: "10.0.0.1", Server: "[fd00::1]:5353"},
		"no mistake: 7":  &grade.Trace{At: grade.At{Segment: "lan", Address: []string{"10.0.0.0/24"}}, To: to, Hops: []string{"*"}},
		"no mistake: 8":  &grade.Connect{At: lan, To: "[fd00::1]:22", Regex: "^SSH"},
		"no mistake: 9":  &grade.Answers{At: lan, To: to, By: "r1/eth0"},
		"no mistake: 10": &grade.Declared{Node: "r1", On: map[string]string{"eth0": "lan"}},
	} {
		var fields []string
		k.Validate(func(field, fix, format string, args ...any) {
			fields = append(fields, field)
			if text := fmt.Sprintf(format, args...) + fix; strings.Contains(text, "%!") || text == "" {
				t.Errorf("%s: says %q", field, text)
			}
		})
		fields = slices.Compact(fields)
		if fine := strings.HasPrefix(want, "no mistake"); fine && len(fields) > 0 || !fine && !slices.Equal(fields, []string{want}) {
			t.Errorf("%s of %T: mistakes at %q", want, k, fields)
		}
		if s := k.Expect(); s == "" || strings.Contains(s, "%!") || strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "..") {
			t.Errorf("%T expects %q", k, s)
		}
	}
}

func TestRange(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/30": "10.0.0.0 10.0.0.3", "10.0.0.7/24": "10.0.0.0 10.0.0.255", "10.0.0.1 - 10.0.0.9": "10.0.0.1 10.0.0.9",
		"10.0.0.5/32": "10.0.0.5 10.0.0.5", "10.0.0.1-fd00::1": "", "x": "",
	} {
		first, last, err := (&grade.DHCP{Range: text}).Bounds()
		if got := first.String() + " " + last.String(); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%s is %s, %v, want %q", text, got, err, want)
		}
	}
}
