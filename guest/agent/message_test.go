package agent_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
)

var messages = map[string][]any{
	"hello": {agent.Hello{}, agent.Hello{Version: agent.Version, Kernel: "7.3.4"}},
	"machine": {agent.Machine{}, agent.Machine{
		Hostname: "r1",
		Root:     agent.Device{Path: "/dev/ubda", Type: "squashfs"},
		Disk:     agent.Device{Path: "/dev/ubdb", Type: "ext4"},
		Modules:  agent.Device{Path: "/dev/ubdc", Type: "squashfs"},
		Interfaces: []agent.Interface{
			{Vec: 0, Name: "eth0", MTU: 1500, Addresses: []string{"10.0.0.1/24", "fd00::1/64"}, Gateway: "10.0.0.254"},
			{Vec: 1, Name: "eth1", Down: true},
		},
		Hosts:     []agent.Host{{Address: "10.0.0.2", Names: []string{"pc2", "pc2.lab"}}},
		Files:     []agent.File{{Path: "/root/a", Mode: 0o755, Data: []byte("x\x00y")}, {Path: "/empty"}},
		Sysctls:   []agent.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}},
		Startup:   []string{"ip link", "echo 'two\nlines'"},
		Consoles:  4,
		TimeNanos: 1795423602123456789,
		Fresh:     true,
	}, agent.Machine{Root: agent.Device{Path: "/dev/ubda", Type: "erofs"}, Inspect: true}},
	"ready": {agent.Ready{}, agent.Ready{
		Times:    agent.Times{Start: 1, Hello: 2, Told: 3, Mounted: 4, Network: 5, Shell: 6, Ready: time.Second},
		Warnings: []string{"one", ""}, StartupDone: true,
	}},
	"event": {agent.Event{Kind: agent.EventStarted, Text: "two failed"}},
	"entry": {
		agent.Entry{},
		agent.Entry{Exists: true, Kind: "file", Mode: 0o4755, UID: 1, GID: 2, Size: 1 << 40, Data: []byte("x\x00y"), Changed: true},
		agent.Entry{Exists: true, Kind: "directory", Mode: 0o755, Names: []string{"a", "b c"}, Link: "../d"},
		agent.Entry{Kind: "link", Link: "/nowhere", Trouble: "it leads nowhere"},
	},
	"exec": {
		agent.Exec{Args: []string{"true"}},
		agent.Exec{Args: []string{"sh", "-c", ""}, Env: []string{"A=b"}, Dir: "/tmp", Limit: 1 << 20, Timeout: time.Minute},
		agent.Exec{Args: []string{"vtysh"}, Pristine: true, Peers: []agent.Peer{{Socket: "/run/frr/zebra.vty", Program: "/usr/lib/frr/zebra"}, {}}},
	},
}

func TestMessagesSurviveTheLine(t *testing.T) {
	for name, list := range messages {
		for _, want := range list {
			got, again, err := agent.Codecs[name](agent.Encode(want))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
			}
			if !bytes.Equal(again, agent.Encode(want)) {
				t.Errorf("%s: encoding %+v twice gives two results", name, want)
			}
		}
	}
}

func TestCutMessagesAreRefused(t *testing.T) {
	for name, list := range messages {
		for _, m := range list {
			b := agent.Encode(m)
			for n := range b {
				if _, _, err := agent.Codecs[name](b[:n]); err == nil {
					t.Errorf("%s: %d of %d bytes were taken for the whole", name, n, len(b))
				}
			}
			if _, _, err := agent.Codecs[name](append(b, 0)); err == nil {
				t.Errorf("%s: a byte too many was not noticed", name)
			}
		}
	}
}

// FuzzMessage: any bytes either are refused or are the one encoding of what
// they decode to, and decoding allocates in proportion to them.
func FuzzMessage(f *testing.F) {
	for _, list := range messages {
		for _, m := range list {
			f.Add(agent.Encode(m))
		}
	}
	f.Add(agent.Exit(137, true))
	f.Add(agent.Put("/etc/motd", 0o644))
	f.Add(agent.Look("/etc/motd", 4096))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, codec := range agent.Codecs {
			v, again, err := codec(body)
			if err == nil && !bytes.Equal(again, body) {
				t.Errorf("%s: %x decodes to %+v, whose encoding is %x", name, body, v, again)
			}
		}
	})
}

func TestTextFromAGuestIsMadeHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"two\nlines\tand a tab":    "two lines and a tab",
		"\x1b]0;title\x07 é":       "�]0;title� é",
		"\xff\xfe":                 "��",
		strings.Repeat("é", 10000): strings.Repeat("é", 4096),
	} {
		if got := agent.Clean(in); got != want {
			t.Errorf("%.40q becomes %.40q, want %.40q", in, got, want)
		}
	}
}
