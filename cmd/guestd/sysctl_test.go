package main

import (
	"slices"
	"testing"

	"github.com/patchbay/patchbay/guest/agent"
)

func TestParseSysctls(t *testing.T) {
	for text, want := range map[string][]agent.Sysctl{
		"":                          nil,
		"net.ipv4.ip_forward=1\n":   {{Key: "net.ipv4.ip_forward", Value: "1"}},
		" net/ipv4/ip_forward = 1 ": {{Key: "net/ipv4/ip_forward", Value: "1"}},
		"# a.b=1\n;a.b=2\n\n=3\na.b\na.b=\nnet.ipv4.conf.*.rp_filter=0\n-c.d = 4  5\r\n": {{Key: "-c.d", Value: "4  5"}},
		"a.b=1\na.b=2=3": {{Key: "a.b", Value: "1"}, {Key: "a.b", Value: "2=3"}},
	} {
		if got := parseSysctls(text); !slices.Equal(got, want) {
			t.Errorf("parseSysctls(%q) = %v; want %v", text, got, want)
		}
	}
}
