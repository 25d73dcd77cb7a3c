package image_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest/build"
	"github.com/patchbay/patchbay/guest/image"
)

// put makes an image in a cache; age is in days.
func put(t *testing.T, cache, name, recipe string, age int) {
	t.Helper()
	dir := filepath.Join(cache, "images", name+"-"+recipe)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	about := fmt.Sprintf(`{"name":%q,"recipe":%q,"type":"squashfs","built":"2026-02-%02dT00:00:00Z"}`, name, recipe, 28-age)
	for file, text := range map[string]string{"image.json": about, "root.squashfs": "hsqs", "manifest.txt": "bash 5 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFind(t *testing.T) {
	r, err := image.LoadRecipe("")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := r.Hash()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	find := func(name, want string) {
		t.Helper()
		m, err := image.Find(cache, name)
		var missing *image.NotFoundError
		switch {
		case want == "" && !errors.As(err, &missing):
			t.Errorf("Find(%q) = %q, %v; want a NotFoundError", name, m.Dir, err)
		case want != "" && (err != nil || filepath.Base(m.Dir) != want):
			t.Errorf("Find(%q) = %q, %v; want %q", name, m.Dir, err, want)
		}
	}
	find("", "")
	put(t, cache, "kali", "00000001", 1)
	find("", "")
	find("kali", "kali-00000001")
	put(t, cache, "debian", "00000002", 3)
	put(t, cache, "debian", "00000003", 2)
	find("", "debian-00000003")
	put(t, cache, "debian", hash, 9)
	find("", "debian-"+hash)
	find("debian", "debian-"+hash)
	find("debian-00000002", "debian-00000002")
	find("../images/kali", "")
	find("suse", "")
	if all, err := image.List(cache); err != nil || len(all) != 4 {
		t.Errorf("List found %d images, %v; want 4", len(all), err)
	}
	// What the cache has is not built again.
	m, err := image.Build(t.Context(), image.Options{Cache: cache}, func(s build.Step) { t.Errorf("Build took a step: %v", s) })
	if err != nil || filepath.Base(m.Dir) != "debian-"+hash {
		t.Errorf("Build = %q, %v; want the image in the cache", m.Dir, err)
	}
}

// TestBuiltImage looks into the image that "make image" has built from this
// very recipe.
func TestBuiltImage(t *testing.T) {
	r, err := image.LoadRecipe("")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := r.Hash()
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.Find(cacheFolder(), "debian-"+hash)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("run make image first: %v", err)
		}
		t.Skipf("run make image first: %v", err)
	}
	if got, want := stat(t, m.Path, "/"), (inode{"directory", "0:0", "0755"}); got != want {
		t.Errorf("the root is %v, want %v", got, want)
	}
	for _, program := range []string{
		"bin/bash", "bin/ip", "sbin/ifconfig", "bin/ping", "bin/traceroute", "bin/mtr", "bin/tcpdump", "bin/tshark",
		"sbin/nft", "sbin/iptables", "sbin/iptables-legacy", "sbin/ip6tables-legacy", "sbin/ebtables", "sbin/arptables",
		"sbin/ethtool", "sbin/brctl", "bin/nc", "bin/socat", "bin/curl", "bin/dig", "sbin/named", "sbin/dnsmasq",
		"sbin/unbound", "sbin/dhclient", "sbin/dhcpd", "sbin/dhcrelay", "sbin/radvd", "sbin/nginx", "sbin/apache2",
		"sbin/sshd", "bin/ssh", "bin/telnet", "sbin/telnetd", "bin/vtysh", "sbin/bird", "bin/wg", "bin/wg-quick",
		"sbin/openvpn", "sbin/ipsec", "bin/nmap", "bin/iperf3", "sbin/hping3", "bin/python3", "bin/vim", "bin/nano",
		"bin/less", "bin/man", "sbin/modprobe", "bin/ps", "sbin/conntrack", "sbin/arp", "bin/arping", "sbin/arp-scan",
		"bin/systemctl", "sbin/service", "bin/links", "bin/suricata", "bin/scapy3",
	} {
		got := stat(t, m.Path, "/usr/"+program)
		if got.kind == "regular" && !strings.HasSuffix(got.mode, "55") || got.kind != "regular" && got.kind != "symlink" {
			t.Errorf("/usr/%s is %v, want a program", program, got)
		}
	}
	for _, file := range []string{
		"/etc/bash.bashrc", "/etc/frr/daemons", "/etc/init.d/frr", "/etc/init.d/named", "/etc/init.d/bind9", "/etc/init.d/quagga",
		"/usr/lib/modules", "/usr/share/bash-completion/bash_completion",
		"/usr/share/man/man8/tcpdump.8.gz", "/usr/share/man/man8/ip-route.8.gz", "/usr/share/man/man1/curl.1.gz",
		"/usr/share/man/man8/frr-zebra.8.gz", "/usr/lib/frr/ospfd", "/usr/share/vim/vim90/syntax/sh.vim",
	} {
		if stat(t, m.Path, file) == (inode{}) {
			t.Errorf("%s is missing", file)
		}
	}
	for _, file := range []string{
		"/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key", "/etc/bind/rndc.key", "/etc/rc2.d/S01ssh",
		"/etc/rc2.d/S01frr", "/setup.sh", "/manifest.txt", "/etc/apt/apt.conf.d/99mmdebstrap",
		"/etc/dpkg/dpkg.cfg.d/99mmdebstrap", "/usr/share/locale/de", "/usr/share/man/de/man1/apropos.1.gz", "/dev/console",
	} {
		if got := stat(t, m.Path, file); got != (inode{}) {
			t.Errorf("%s should not be in the image, it is %v", file, got)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(m.Dir, "manifest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Packages {
		for _, p := range g.Names {
			if !strings.Contains("\n"+string(manifest), "\n"+p+" ") {
				t.Errorf("the manifest does not list %s", p)
			}
		}
	}
}

type inode struct{ kind, owner, mode string }

var dumped = regexp.MustCompile(`(?s)On-disk size: \d+ +(\w+).*Uid: (\d+) +Gid: (\d+) +Access: (\d+)/`)

// stat looks at a file in an erofs image; one that is not there has no kind.
func stat(t *testing.T, file, path string) inode {
	t.Helper()
	// dump.erofs ends with 0 whatever happens, and says where on stderr.
	out, err := exec.Command("dump.erofs", "--path="+path, file).Output()
	if err != nil {
		t.Fatalf("looking at %s in %s: %v", path, file, err)
	}
	f := dumped.FindSubmatch(out)
	if f == nil {
		return inode{}
	}
	return inode{string(f[1]), string(f[2]) + ":" + string(f[3]), string(f[4])}
}

// cacheFolder is where make puts kernels and images.
func cacheFolder() string {
	switch dir := os.Getenv("PATCHBAY_CACHE"); {
	case dir != "":
		return dir
	case os.Geteuid() == 0:
		return "/var/cache/patchbay"
	}
	dir, _ := os.UserCacheDir()
	return filepath.Join(dir, "patchbay")
}
