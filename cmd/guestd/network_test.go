package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/agent"
)

// innerNetwork has the loopback interface to play with, which can be renamed
// like any other.
func innerNetwork() {
	nl, err := openNetlink()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("rename:", nl.rename("lo", "eth0"))
	fmt.Println("rename nothing:", nl.rename("vec7", "eth7"))
	fmt.Println("rename badly:", nl.rename("eth0", "a/b"))
	nl.configure(agent.Interface{
		Name: "eth0", MTU: 1400,
		Addresses: []string{"10.1.2.3/24", "192.0.2.1/31", "fd00::5/64", "10.1.2/24", "10.1.2.3/24"},
		Gateway:   "10.1.2.254",
	})
	nl.configure(agent.Interface{Name: "eth7", Addresses: []string{"10.0.0.1/8"}})
	for i := range 150 { // more than are sent at once
		nl.configure(agent.Interface{Name: "eth0", Addresses: []string{fmt.Sprintf("10.9.%d.1/32", i)}})
	}
	for _, err := range nl.flush() {
		fmt.Println("failed:", err)
	}
	nl.close()
	i, err := net.InterfaceByName("eth0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	addrs, err := i.Addrs()
	fmt.Println("flags", i.Flags, "mtu", i.MTU, "addresses", len(addrs), addrs, err)
	routes, err := os.ReadFile("/proc/net/route")
	fmt.Println(string(routes), err)
	fmt.Println("sysctl:", setSysctl(agent.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"}))
	fmt.Println("no sysctl:", setSysctl(agent.Sysctl{Key: "net.ipv4.nothing", Value: "1"}))
	fmt.Println("no path:", setSysctl(agent.Sysctl{Key: "net/../../version", Value: "1"}))
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	fmt.Printf("forward %q %v\n", forward, err)
}

func TestNetwork(t *testing.T) {
	got := runInner(t, "network")
	wantLines(t, got,
		"rename: <nil>\n",
		"rename nothing: no such device\n",
		"rename badly: invalid argument\n",
		"failed: interface eth7: no such device\n",
		"failed: address 10.1.2/24 of eth0: ",
		"failed: address 10.1.2.3/24 of eth0: file exists\n",
		"flags up|loopback", "mtu 1400",
		"10.1.2.3/24 ", "192.0.2.1/31", "fd00::5/64", "10.9.149.1/32",
		"eth0\t00000000\tFE02010A\t0003\t", // the default route, in the file's own notation
		"sysctl: <nil>\n",
		"no sysctl: no such file or directory\n",
		"no path: invalid argument\n",
		`forward "1\n" <nil>`,
	)
	if n := strings.Count(got, "failed:"); n != 3 {
		t.Errorf("%d things failed, want 3:\n%s", n, got)
	}
}

func TestHostsFile(t *testing.T) {
	got := string(hostsFile(agent.Machine{
		Hostname: "pc1",
		Hosts:    []agent.Host{{Address: "10.0.0.2", Names: []string{"pc2", "pc2.lab"}}},
	}))
	wantLines(t, got, "127.0.0.1\tlocalhost\n", "127.0.1.1\tpc1\n", "::1\t", "\n10.0.0.2\tpc2 pc2.lab\n")
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	for _, tt := range []struct {
		mode uint32
		data string
	}{{0o755, "first and long"}, {0o4600, "second"}, {0o644, ""}} {
		if err := writeFile(path, tt.mode, []byte(tt.data)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != tt.data {
			t.Errorf("the file holds %q, %v, want %q", got, err, tt.data)
		}
		info, err := os.Stat(path)
		if err != nil || uint32(info.Mode().Perm()) != tt.mode&0o777 {
			t.Errorf("its mode is %v, %v, want %o", info.Mode(), err, tt.mode)
		}
	}
	if err := writeFile(path+"/below", 0o644, nil); err == nil {
		t.Error("wrote below a file")
	}
}
