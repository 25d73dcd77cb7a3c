package rack_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/rack"
)

// TestCraftedDisks looks at disks that were written by hand, block by block, to
// hold up, break or deceive whoever reads them. Each is a fail and no error, as
// errors cost no points.
func TestCraftedDisks(t *testing.T) {
	debugfs, err := exec.LookPath("debugfs")
	if err != nil {
		debugfs = "/usr/sbin/debugfs"
	}
	b := serveReal(t, twoHosts())
	settled(t, b.stream(t, rack.Owner))
	b.must(t, "pc1", "sh", "-c", "echo right >/etc/lab; mkdir -p /srv/a/b; head -c 3M /dev/urandom >/etc/loop; sync")
	whole := filepath.Join(t.TempDir(), "whole")
	if err := b.client.Snapshot(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	file := func(path string) grade.Kinds {
		return grade.Kinds{File: &grade.File{Node: "pc1", Path: path, Contains: []string{"right"}}}
	}
	for _, c := range []struct {
		name  string
		write []string // debugfs's commands
		block string   // overwritten first, as dd's seek of 1 KiB blocks
		path  string
	}{
		{name: "superblock", block: "1", path: "/etc/lab"},
		{name: "group descriptors", block: "4", path: "/etc/lab"},
		{name: "orphans in a ring", write: []string{"set_super_value last_orphan 12", "set_inode_field <12> dtime 12"}, path: "/etc/gone"},
		{name: "a folder in itself", write: []string{"unlink /upper/srv/a/b", "link /upper/srv/a /upper/srv/a/b"}, path: "/srv/a/b/b/b/b/b/lab"},
		{name: "a huge block size", write: []string{"set_super_value log_block_size 30"}, path: "/etc/lab"},
		{name: "more inodes than blocks", write: []string{"set_super_value inodes_per_group 4000000000"}, path: "/etc/lab"},
		{name: "a journal elsewhere", write: []string{"set_super_value journal_inum 2"}, path: "/etc/lab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "pc1.ext4")
			if out, err := exec.Command("cp", "--sparse=always", filepath.Join(whole, "pc1.ext4"), disk).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if c.block != "" {
				if out, err := exec.Command("dd", "if=/dev/urandom", "of="+disk, "bs=1k", "count=1", "conv=notrunc", "seek="+c.block).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			if len(c.write) > 0 {
				cmd := exec.Command(debugfs, "-w", "-f", "-", disk)
				cmd.Stdin = strings.NewReader(strings.Join(c.write, "\n") + "\n")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("debugfs, of e2fsprogs: %v\n%s", err, out)
				}
				t.Logf("%s", out)
			}
			dir := t.TempDir()
			spec := &rack.Spec{ID: "crafted", Owner: "ann", LabSlug: "real", Topology: twoHosts(), Cache: realCache(t), Disks: filepath.Dir(disk)}
			if err := rack.WriteSpec(dir, spec); err != nil {
				t.Fatal(err)
			}
			again := serveAt(t, dir, nil)
			defer again.end(t)
			again.checks(t, wants{name: "file", kinds: file(c.path), outcome: grade.Fail},
				wants{name: "not", kinds: file(c.path), not: c.path == "/etc/lab", outcome: grade.Fail})
		})
	}
}
