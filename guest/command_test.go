package guest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest"
)

func basicConfig() *guest.Config {
	return &guest.Config{
		Name:   "pc1",
		Memory: 64 << 20,
		Kernel: guest.Kernel{Name: "patchbay-7.3.4", Seccomp: true, Args: []string{"lpj=5000000"}},
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*guest.Config)
		disk    string
		modules string
		nets    []string
		want    string
	}{
		{
			name: "bare",
			want: "/linux mem=65536K initrd=/initrd root=none quiet noreboot uml_dir=/run umid=uml mconsole=notify:/run/notify " +
				"con=null ssl=null con0=fd:3 con1=fd:4 ssl0=fd:5 ubd0r=/image seccomp=off lpj=5000000",
		},
		{
			name:   "disk, modules and two interfaces, seccomp mode",
			change: func(c *guest.Config) { c.Seccomp = true; c.NICs = nics("02:00:00:00:00:01", "02-00-00-00-00-0A") },
			disk:   "/disk", modules: "/modules", nets: []string{"/net/0", "/net/1"},
			want: "/linux mem=65536K initrd=/initrd root=none quiet noreboot uml_dir=/run umid=uml mconsole=notify:/run/notify " +
				"con=null ssl=null con0=fd:3 con1=fd:4 ssl0=fd:5 ubd0r=/image ubd1=/disk ubd2r=/modules " +
				"vec0:transport=bess,mac=02:00:00:00:00:01,depth=64,dst=/net/0 " +
				"vec1:transport=bess,mac=02:00:00:00:00:0a,depth=64,dst=/net/1 seccomp=on lpj=5000000",
		},
		{
			name: "a kernel with offload, and a large MTU",
			change: func(c *guest.Config) {
				c.Kernel.Offload, c.Kernel.Args = true, nil
				c.NICs = nics("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03")
				c.NICs[1].MTU, c.NICs[1].Depth, c.NICs[2].MTU = 9000, 8, 1400
			},
			nets: []string{"/net/0", "/net/1", "/net/2"},
			want: "/linux mem=65536K initrd=/initrd root=none quiet noreboot uml_dir=/run umid=uml mconsole=notify:/run/notify " +
				"con=null ssl=null con0=fd:3 con1=fd:4 ssl0=fd:5 ubd0r=/image " +
				"vec0:transport=bess,mac=02:00:00:00:00:01,depth=16,vnet=1,dst=/net/0 " +
				"vec1:transport=bess,mac=02:00:00:00:00:02,depth=8,vnet=1,mtu=9000,dst=/net/1 " +
				"vec2:transport=bess,mac=02:00:00:00:00:03,depth=16,vnet=1,dst=/net/2 seccomp=off",
		},
		{
			name: "a large MTU without offload",
			change: func(c *guest.Config) {
				c.Kernel.Args, c.NICs = nil, nics("02:00:00:00:00:01")
				c.NICs[0].MTU = 9000
			},
			nets: []string{"/net/0"},
			want: "/linux mem=65536K initrd=/initrd root=none quiet noreboot uml_dir=/run umid=uml mconsole=notify:/run/notify " +
				"con=null ssl=null con0=fd:3 con1=fd:4 ssl0=fd:5 ubd0r=/image " +
				"vec0:transport=bess,mac=02:00:00:00:00:01,depth=64,mtu=9000,dst=/net/0 seccomp=off",
		},
		{
			name:   "a kernel that does not know seccomp= is not told of it",
			change: func(c *guest.Config) { c.Kernel.Seccomp = false; c.Kernel.Args = nil },
			want: "/linux mem=65536K initrd=/initrd root=none quiet noreboot uml_dir=/run umid=uml mconsole=notify:/run/notify " +
				"con=null ssl=null con0=fd:3 con1=fd:4 ssl0=fd:5 ubd0r=/image",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := basicConfig()
			if tt.change != nil {
				tt.change(c)
			}
			got, err := guest.CommandLine(c, "/linux", "/initrd", "/image", tt.disk, tt.modules, tt.nets, []int{3, 4}, 5)
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

// TestCommandLinePair: an interface that is given one end of a pair.
func TestCommandLinePair(t *testing.T) {
	c := basicConfig()
	c.Kernel.Offload = true
	c.NICs = nics("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03")
	c.NICs[0].Pair, c.NICs[2].Pair = os.Stdin, os.Stdin
	build := func(pairs ...int) ([]string, error) {
		return guest.CommandLine(c, "/linux", "/initrd", "/image", "", "", []string{"", "/net/1", ""}, []int{3}, 4, pairs...)
	}
	words, err := build(5, 6)
	if err != nil {
		t.Fatal(err)
	}
	want := "vec0:transport=fd,mac=02:00:00:00:00:01,depth=16,vnet=1,fd=5 " +
		"vec1:transport=bess,mac=02:00:00:00:00:02,depth=16,vnet=1,dst=/net/1 " +
		"vec2:transport=fd,mac=02:00:00:00:00:03,depth=16,vnet=1,fd=6"
	if got := strings.Join(words, " "); !strings.Contains(got, want) {
		t.Errorf("command line is\n%s\nwant in it\n%s", got, want)
	}
	if words, err := build(5); err == nil {
		t.Errorf("command line with a descriptor too few is %q", words)
	}
}

func nics(macs ...string) []guest.NIC {
	var list []guest.NIC
	for _, m := range macs {
		list = append(list, guest.NIC{MAC: m})
	}
	return list
}

func TestCommandLineRefuses(t *testing.T) {
	one := []string{"/net/0"}
	tests := []struct {
		name   string
		change func(c *guest.Config, kernel *string, nets *[]string, lines *[]int)
		want   string
	}{
		{"no memory", func(c *guest.Config, _ *string, _ *[]string, _ *[]int) { c.Memory = 0 }, "memory of 0 bytes"},
		{"no console", func(_ *guest.Config, _ *string, _ *[]string, l *[]int) { *l = nil }, "0 consoles"},
		{"seventeen consoles", func(_ *guest.Config, _ *string, _ *[]string, l *[]int) { *l = make([]int, 17) }, "17 consoles"},
		{"a space in a path", func(_ *guest.Config, k *string, _ *[]string, _ *[]int) { *k = "/a b" }, `"/a b" cannot stand`},
		{"a relative path", func(_ *guest.Config, k *string, _ *[]string, _ *[]int) { *k = "linux" }, `"linux" cannot stand`},
		{"a comma in a socket", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("02:00:00:00:00:01"), []string{"/n,transport=raw"}
		}, "cannot stand"},
		{"a newline", func(_ *guest.Config, k *string, _ *[]string, _ *[]int) { *k = "/a\nb" }, "cannot stand"},
		{"dots in a path", func(_ *guest.Config, k *string, _ *[]string, _ *[]int) { *k = "/a/../b" }, "cannot stand"},
		{"a socket path that does not fit", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("02:00:00:00:00:01"), []string{"/" + strings.Repeat("x", 107)}
		}, "108 bytes"},
		{"a MAC with an option", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("02:00:00:00:00:01,gro=1"), one
		}, "not a MAC address"},
		{"a multicast MAC", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("03:00:00:00:00:01"), one
		}, "group"},
		{"nobody's MAC", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("00:00:00:00:00:00"), one
		}, "nobody's"},
		{"an EUI-64", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics("02:00:00:00:00:00:00:01"), one
		}, "not a MAC address"},
		{"a depth beyond all reason", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = []guest.NIC{{MAC: "02:00:00:00:00:01", Depth: 5000}}, one
		}, "depth of 5000"},
		{"an MTU beyond the largest", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = []guest.NIC{{MAC: "02:00:00:00:00:01", MTU: 9001}}, one
		}, "MTU of 9001"},
		{"a negative MTU", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = []guest.NIC{{MAC: "02:00:00:00:00:01", MTU: -1}}, one
		}, "MTU of -1"},
		{"33 interfaces", func(c *guest.Config, _ *string, n *[]string, _ *[]int) {
			c.NICs, *n = nics(slices.Repeat([]string{"02:00:00:00:00:01"}, 33)...), slices.Repeat(one, 33)
		}, "33 interfaces"},
		{"two words in one argument", func(c *guest.Config, _ *string, _ *[]string, _ *[]int) {
			c.Kernel.Args = []string{"lpj=1 init=/bin/sh"}
		}, "not one printable word"},
		{"seccomp mode on a kernel without", func(c *guest.Config, _ *string, _ *[]string, _ *[]int) {
			c.Seccomp, c.Kernel.Seccomp = true, false
		}, "no seccomp mode"},
		{"a command line longer than the kernel's", func(c *guest.Config, _ *string, _ *[]string, _ *[]int) {
			for i := range 800 {
				c.Kernel.Args = append(c.Kernel.Args, fmt.Sprintf("word%d", i))
			}
		}, "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, kernel, nets, lines := basicConfig(), "/linux", []string(nil), []int{3}
			tt.change(c, &kernel, &nets, &lines)
			got, err := guest.CommandLine(c, kernel, "/initrd", "/image", "", "", nets, lines, 5)
			if err == nil {
				t.Fatalf("accepted: %q", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// The most that a guest can have fits into the kernel's command line.
func TestCommandLineLargest(t *testing.T) {
	c := basicConfig()
	c.Kernel.Offload = true
	var nets []string
	for i := range 32 {
		c.NICs = append(c.NICs, guest.NIC{MAC: fmt.Sprintf("02:00:00:00:00:%02x", i), Depth: 1024, MTU: 9000})
		nets = append(nets, fmt.Sprintf("/net/%d", i))
	}
	lines := []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	if _, err := guest.CommandLine(c, "/linux", "/initrd", "/image", "/disk", "/modules", nets, lines, 19); err != nil {
		t.Fatal(err)
	}
}

// Whatever the words of a Config hold, what comes out is as many words as were
// meant, each with its own key.
func FuzzCommandLine(f *testing.F) {
	f.Add("/linux", "/net/0", "02:00:00:00:00:01", "lpj=1")
	f.Add("/a b", "/net/0,vec1:transport=raw", "02:00:00:00:00:01,bpffile=/x", "a\x00b")
	f.Fuzz(func(t *testing.T, file, socket, mac, arg string) {
		c := basicConfig()
		c.NICs = nics(mac)
		c.Kernel.Args = []string{arg}
		got, err := guest.CommandLine(c, "/linux", "/initrd", file, "", "", []string{socket}, []int{3}, 4)
		if err != nil {
			return
		}
		line := strings.Join(got, " ")
		if n := len(strings.Fields(line)); n != len(got) {
			t.Errorf("%d words became %d: %q", len(got), n, line)
		}
		if strings.Count(line, "transport=") != 1+strings.Count(arg, "transport=") || strings.Count(line, ",") != 3+strings.Count(arg, ",") {
			t.Errorf("an option was smuggled in: %q", line)
		}
		if strings.ContainsAny(line, "\x00\n") {
			t.Errorf("control characters: %q", line)
		}
	})
}
