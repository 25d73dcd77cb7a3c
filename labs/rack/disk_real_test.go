package rack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// What is on the disks is looked at while the machines run, copied, and begun
// with by another rack.
func TestDiskChecksAndSnapshot(t *testing.T) {
	topo := twoHosts()
	topo.Nodes[0].Startup = []string{"true"}
	topo.Nodes[0].Sysctls = []labs.Sysctl{{Key: "net.ipv4.ip_forward", Value: "1"}}
	b := serveReal(t, topo)
	settled(t, b.stream(t, rack.Owner))
	b.must(t, "pc1", "sh", "-c", `
		printf '# on\nnet/ipv4/ip_forward = 1\n-net.ipv6.conf.all.forwarding=0\n' >/etc/sysctl.d/lab.conf
		printf '[main]\nname = "lab x" ; said\n[other]\nname=y\n' >/etc/lab.ini
		printf '{"a": {"b": [1, "two"]}, "on": true}' >/etc/lab.json
		printf 'hostname r1\n!\n  router   ospf \n network 10.0.0.0/8 area 0 # all\n' >/etc/frr/frr.conf; chmod 640 /etc/frr/frr.conf
		ln -sf ../init.d/ssh /etc/rc2.d/S01ssh; ln -sf ../init.d/nothing /etc/rc2.d/S01nothing
		ln -s /etc/lab.ini /etc/lab.link; rm /etc/issue; mkdir /srv/d; touch /srv/d/one /srv/d/two
		echo volatile >/run/lab; truncate -s 50M /srv/big
	`)
	file := func(f grade.File) grade.Kinds { f.Node = "pc1"; return grade.Kinds{File: &f} }
	yes, no := true, false
	uid, size := uint32(0), int64(1<<20)
	text := "[main]\nname = \"lab x\" ; said\n[other]\nname=y"
	got := b.checks(t,
		wants{name: "there", kinds: file(grade.File{Path: "/etc/lab.ini", Kind: "file", Mode: "0644", Owner: &uid, Group: &uid, MaxSize: &size, Changed: &yes}), outcome: grade.Pass},
		wants{name: "gone", kinds: file(grade.File{Path: "/etc/issue", Absent: true}), outcome: grade.Pass},
		wants{name: "not-gone", kinds: file(grade.File{Path: "/etc/passwd", Absent: true}), outcome: grade.Fail, seen: "there is a file"},
		wants{name: "not-there", kinds: file(grade.File{Path: "/etc/issue"}), outcome: grade.Fail, seen: "there is no /etc/issue"},
		wants{name: "image", kinds: file(grade.File{Path: "/etc/passwd", Changed: &no}), outcome: grade.Pass},
		wants{name: "link", kinds: file(grade.File{Path: "/etc/lab.link", Kind: "link", Link: "/etc/lab.ini", Contains: []string{"lab x"}}), outcome: grade.Pass},
		wants{name: "folder", kinds: file(grade.File{Path: "/srv/d", Kind: "directory", Names: []string{"one", "t*"}, Lacks: []string{"three"}}), outcome: grade.Pass},
		wants{name: "folder-not", kinds: file(grade.File{Path: "/srv/d", Names: []string{"three"}}), outcome: grade.Fail, seen: "three"},
		wants{name: "sysctl", kinds: file(grade.File{Path: "/etc/sysctl.d/lab.conf", Settings: map[string]string{"net.ipv4.ip_forward": "1", "net/ipv6/conf/all/forwarding": "0"}}), outcome: grade.Pass},
		wants{name: "sysctl-not", kinds: file(grade.File{Path: "/etc/sysctl.d/lab.conf", Settings: map[string]string{"net.ipv4.ip_forward": "0"}}), outcome: grade.Fail, seen: `is "1"`},
		wants{name: "ini", kinds: file(grade.File{Path: "/etc/lab.ini", INI: map[string]string{"main.name": "lab x", "other.name": "/^[xyz]$/"}}), outcome: grade.Pass},
		wants{name: "json", kinds: file(grade.File{Path: "/etc/lab.json", JSON: map[string]string{"a.b[1]": "two", "a.b[0]": "1", "on": "true"}}), outcome: grade.Pass},
		wants{name: "lines", kinds: file(grade.File{Path: "/etc/frr/frr.conf", Mode: "0640", Lines: []string{"router ospf", "network 10.0.0.0/8 area 0"}, Lacks: []string{"bgp"}}), outcome: grade.Pass},
		wants{name: "lines-not", kinds: file(grade.File{Path: "/etc/frr/frr.conf", Lines: []string{"all"}}), outcome: grade.Fail},
		wants{name: "equals", kinds: file(grade.File{Path: "/etc/lab.ini", Equals: &text, Regex: "^name=y$"}), outcome: grade.Pass},
		wants{name: "big", kinds: file(grade.File{Path: "/srv/big", MinSize: 50 << 20}), outcome: grade.Pass},
		wants{name: "enabled", kinds: file(grade.File{Enabled: "ssh"}), outcome: grade.Pass},
		wants{name: "enabled-not", kinds: file(grade.File{Enabled: "nothing"}), outcome: grade.Fail, seen: "no script"},
		wants{name: "enabled-none", kinds: file(grade.File{Enabled: "dnsmasq"}), outcome: grade.Fail, seen: "no link"},
		wants{name: "other-node", kinds: grade.Kinds{File: &grade.File{Node: "pc2", Path: "/etc/lab.ini", Absent: true}}, outcome: grade.Pass},
		wants{name: "declared", kinds: grade.Kinds{Declared: &grade.Declared{Node: "pc1", Startup: &yes, IPv6: &no, Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}, On: map[string]string{"eth0": "lan"}}}, outcome: grade.Pass},
		wants{name: "declared-not", kinds: grade.Kinds{Declared: &grade.Declared{Node: "pc2", Startup: &yes}}, outcome: grade.Fail},
	)
	if e := got["big"].Evidence; len(e) != 1 || !e[0].Cut {
		t.Errorf("the evidence of a large file is not cut: %d", len(e))
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "nodes/*/inspect-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	began := time.Now()
	snap := filepath.Join(t.TempDir(), "snap")
	if err := b.client.Snapshot(t.Context(), snap); err != nil {
		t.Fatal(err)
	}
	t.Logf("the snapshot took %v", time.Since(began))
	if out := b.must(t, "pc1", "cat", "/run/lab"); out != "volatile\n" {
		t.Errorf("after the snapshot the machine has %q", out)
	}
	b.must(t, "pc1", "sh", "-c", "echo later >/etc/lab.ini")

	dir := t.TempDir()
	spec := &rack.Spec{ID: "again", Owner: "ann", LabSlug: "real", Topology: topo, Cache: realCache(t), Disks: snap}
	if err := rack.WriteSpec(dir, spec); err != nil {
		t.Fatal(err)
	}
	again := serveAt(t, dir, nil)
	t.Cleanup(func() { again.end(t) })
	settled(t, again.stream(t, rack.Owner))
	if out := again.must(t, "pc1", "cat", "/etc/lab.ini"); out != text+"\n" {
		t.Errorf("the rack that began with the snapshot has %q", out)
	}
	if code, _ := again.run(t, "pc1", "test", "-e", "/run/lab"); code == 0 {
		t.Error("it is no fresh boot")
	}
	again.must(t, "pc1", "rm", "/etc/lab.ini")
	again.do(t, rack.Op{Do: "reset", Node: "pc1"})
	if out := again.must(t, "pc1", "cat", "/etc/lab.ini"); !strings.HasPrefix(out, "[main]") {
		t.Errorf("reset, it has %q", out)
	}
	if fi, err := os.Stat(filepath.Join(snap, "pc1.ext4")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the snapshot is %v, %v", fi, err)
	}
}

// What root writes onto the disk below its file system earns nothing.
func TestDiskDestroyed(t *testing.T) {
	b := serveReal(t, twoHosts())
	settled(t, b.stream(t, rack.Owner))
	b.must(t, "pc1", "sh", "-c", "dd if=/dev/zero of=/dev/ubdb bs=1M count=8 conv=notrunc 2>/dev/null; sync")
	b.checks(t,
		wants{name: "file", kinds: grade.Kinds{File: &grade.File{Node: "pc1", Path: "/etc/lab"}}, outcome: grade.Fail, seen: "the disk of pc1 cannot be read"},
		wants{name: "no-file", kinds: grade.Kinds{File: &grade.File{Node: "pc1", Path: "/etc/lab"}}, not: true, outcome: grade.Fail, seen: "the disk of pc1 cannot be read"},
		wants{name: "absent", kinds: grade.Kinds{File: &grade.File{Node: "pc1", Path: "/etc/lab", Absent: true}}, outcome: grade.Fail, seen: "the disk of pc1 cannot be read"},
	)
}
