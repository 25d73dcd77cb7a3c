package labs_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/patchbay/patchbay/labs"
)

var update = flag.Bool("update", false, "rewrite the wanted output in testdata")

// txtarFS gives the files of a txtar archive, but for want.
func txtarFS(a *txtar.Archive) fs.FS {
	fsys := fstest.MapFS{}
	for _, f := range a.Files {
		if f.Name != "want" {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return fsys
}

// TestProblems loads the folder "lab" of each archive in testdata/problems and
// compares all problems with its file "want".
func TestProblems(t *testing.T) {
	paths, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no archives", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lab, err := labs.Load(txtarFS(a), "lab")
			if lab != nil {
				t.Error("a lab came back beside the error")
			}
			problems, ok := errors.AsType[labs.Problems](err)
			if !ok {
				t.Fatalf("Load = %v; want Problems", err)
			}
			got := []byte(problems.Error() + "\n")
			for i := range a.Files {
				if f := &a.Files[i]; f.Name == "want" {
					if *update {
						f.Data = got
						if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
							t.Fatal(err)
						}
					}
					if !bytes.Equal(got, f.Data) {
						t.Errorf("got:\n%swant:\n%s", got, f.Data)
					}
					return
				}
			}
			t.Fatal("the archive has no file want")
		})
	}
}

func ExampleLoad() {
	fsys := fstest.MapFS{
		"ping/lab.yaml": {Data: []byte("title: Ping\nnodes:\n  pc1:\n    interfaces:\n      eth0: lan\n      eth1: lab\nsegments:\n  lan: swich\n")},
		"ping/guide.md": {Data: []byte("# Ping\n")},
	}
	_, err := labs.Load(fsys, "ping")
	fmt.Println(err)
	// Output:
	// ping/lab.yaml:6:13: there is no segment "lab" (did you mean "lan"?)
	// ping/lab.yaml:8:8: a segment is switch, hub, link or uplink, not "swich" (did you mean "switch"?)
}

const fullLab = `
-- base/lab.yaml --
title: Base
author: A. Author
licence: CC-BY-4.0
difficulty: beginner
tags: [arp, ethernet]
nodes:
  pc1:
    memory: 64M
    interfaces: {eth0: lan}
    sysctls: {net.ipv4.ip_forward: 1}
    startup: [echo base]
    files:
      /etc/motd: {content: "from base\n"}
      /etc/base: {content: "kept\n"}
    at: [0, 0]
  pc2:
    interfaces: {eth0: lan}
segments: {lan: hub}
-- base/guide.md --
# Base
-- base/nodes/pc1/etc/folder --
from base's folder
-- lab/lab.yaml --
# A lab that uses everything.
title: "Full: everything"
summary: One of each.
description: |
  Two lines,
  the second.
extends: ../base
tags: [ospf]
nodes:
  pc1:
    image: debian
    kernel: debian-6.1
    mode: seccomp
    disk: 2G
    interfaces:
      eth1:
        segment: wan
        mac: 02-00-00-00-00-0A
        mtu: 1400
        addresses: [10.0.0.1/24, "fd00::1/64"]
        gateway: 10.0.0.254
      eth2:
    sysctls:
      net.ipv4.ip_forward: 0
      net.ipv6.conf.all.forwarding: 1
    startup:
      - ip link set eth0 up
      - |
        echo a
        echo b
    files:
      /etc/motd: {source: files/motd, mode: 0600}
      /etc/closed: {content: "for root\n", mode: 0000}
      /usr/local/bin/hi:
        content: |
          #!/bin/sh
          	echo "tab is content"
        mode: "755"
  r1:
    interfaces:
      eth0: {segment: wan}
    at: [2, -0.5]
segments:
  lan: {at: [1, 1]}
  wan: link
-- lab/guide.md --
# Full

` + "```sh pc1\nip addr\n```\n\n````md\n```sh nowhere\n```\n````\n" + `
-- lab/files/motd --
from the lab
-- lab/nodes/pc1/etc/motd --
from the folder, replaced by lab.yaml
-- lab/nodes/pc1/root/run --
#!/bin/sh
-- lab/solution/pc1.sh --
ip addr add 10.0.0.1/24 dev eth0
`

func TestLoad(t *testing.T) {
	lab, err := labs.Load(txtarFS(txtar.Parse([]byte(fullLab))), "lab")
	if err != nil {
		t.Fatal(err)
	}
	if len(lab.Digest) != 64 {
		t.Errorf("Digest = %q; want 64 hex digits", lab.Digest)
	}
	lab.Digest = ""
	want := &labs.Lab{
		Slug: "lab", Title: "Full: everything", Summary: "One of each.", Description: "Two lines,\nthe second.\n",
		Author: "A. Author", Licence: "CC-BY-4.0", Tags: []string{"ospf"}, Difficulty: labs.Beginner, Extends: "base",
		Guide:    "# Full\n\n```sh pc1\nip addr\n```\n\n````md\n```sh nowhere\n```\n````\n\n",
		Steps:    []labs.Step{{ID: "full", Title: "Full"}},
		Solution: []labs.Script{{Node: "pc1", Text: "ip addr add 10.0.0.1/24 dev eth0\n"}},
		Topology: labs.Topology{
			Nodes: []labs.Node{{
				Name: "pc1", Image: "debian", Kernel: "debian-6.1", Mode: "seccomp", MemoryBytes: 64 << 20, DiskBytes: 2 << 30,
				Interfaces: []labs.Interface{
					{Name: "eth0", Segment: "lan"},
					{Name: "eth1", Segment: "wan", MAC: "02:00:00:00:00:0a", MTU: 1400, Addresses: []string{"10.0.0.1/24", "fd00::1/64"}, Gateway: "10.0.0.254"},
					{Name: "eth2"},
				},
				Sysctls: []labs.Sysctl{{Key: "net.ipv4.ip_forward", Value: "0"}, {Key: "net.ipv6.conf.all.forwarding", Value: "1"}},
				Startup: []string{"ip link set eth0 up", "echo a\necho b\n"},
				Files: []labs.File{
					{Path: "/etc/folder", Mode: 0o644, Data: []byte("from base's folder\n")},
					{Path: "/etc/base", Mode: 0o644, Data: []byte("kept\n")},
					{Path: "/etc/motd", Mode: 0o600, Data: []byte("from the lab\n")},
					{Path: "/root/run", Mode: 0o755, Data: []byte("#!/bin/sh\n")},
					{Path: "/etc/closed", Data: []byte("for root\n")},
					{Path: "/usr/local/bin/hi", Mode: 0o755, Data: []byte("#!/bin/sh\n\techo \"tab is content\"\n")},
				},
				Placed: true,
			}, {
				Name: "pc2", Interfaces: []labs.Interface{{Name: "eth0", Segment: "lan"}},
			}, {
				Name: "r1", Interfaces: []labs.Interface{{Name: "eth0", Segment: "wan"}}, X: 2, Y: -0.5, Placed: true,
			}},
			Segments: []labs.Segment{{Name: "lan", Kind: labs.Hub, X: 1, Y: 1, Placed: true}, {Name: "wan", Kind: labs.Link}},
		},
	}
	if !reflect.DeepEqual(lab, want) {
		t.Errorf("Load =\n%+v\nwant\n%+v", lab, want)
	}
}

func TestDigest(t *testing.T) {
	digest := func(archive string) string {
		lab, err := labs.Load(txtarFS(txtar.Parse([]byte(archive))), "lab")
		if err != nil {
			t.Fatal(err)
		}
		return lab.Digest
	}
	first := digest(fullLab)
	if again := digest(fullLab); again != first {
		t.Errorf("the same files gave %s and %s", first, again)
	}
	for _, change := range [][2]string{
		{"from the lab", "from a lab"}, {"# Full\n", "# Fuller\n"}, {"ip addr add", "ip  addr add"},
		{"from base's folder", "from the base's folder"}, {"# A lab that", "# The lab that"},
	} {
		if digest(strings.Replace(fullLab, change[0], change[1], 1)) == first {
			t.Errorf("%q → %q left the digest as it was", change[0], change[1])
		}
	}
}

// TestLoadLimits holds what takes too much to write into an archive.
func TestLoadLimits(t *testing.T) {
	const head = "title: x\n"
	var nodes, laughs strings.Builder
	for i := range 70 {
		fmt.Fprintf(&nodes, "  n%d: {interfaces: {eth0: lan}}\n", i)
	}
	laughs.WriteString("a0: &a0 [lol, lol]\n")
	for i := 1; laughs.Len() < 10<<20; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1)
	}
	tests := []struct {
		name, yaml, want string
	}{
		{"10 MB of aliases", laughs.String(), "lab/lab.yaml:18168:28: the file is larger than 1M (shorten it; what is large goes into files of its own)"},
		{"aliases", laughs.String()[:10000], "lab/lab.yaml:1:5: an anchor (&) is not allowed in a lab (write it out, use extends, or put quotes around a text that begins so)"},
		{"one long line", head + "summary: " + strings.Repeat("x", 1<<20), "lab/lab.yaml:2:1048568: the file is larger than 1M (shorten it; what is large goes into files of its own)"},
		{"many keys", head + strings.Repeat("k: v\n", 100000), "lab/lab.yaml:6667:4: the file has more than 20000 words and signs (split the lab)"},
		{"deep brackets", head + "nodes: " + strings.Repeat("[", 19000), "lab/lab.yaml:2:40: this is nested more than 32 deep (write it simpler)"},
		{"deep list", head + "nodes: {}\ntags:\n" + strings.Repeat("- ", 19000), "lab/lab.yaml:4:65: this is nested more than 32 deep (write it simpler)"},
		{"blank lines", head + "description: |\n" + strings.Repeat("\n", 80000), "lab/lab.yaml:103:1: more than 100 blank lines follow one another (remove some)"},
		{"zero byte", head + "nodes:\n  pc1:\n    startup: [\"echo \\0\"]\n", "lab/lab.yaml:4:15: a startup command has a zero byte (put binary content into a file of its own)"},
		{"not UTF-8", head + "author: J\xe9r\xf4me\n", "lab/lab.yaml:2:10: byte 0xe9 is not UTF-8 (save the file as UTF-8)"},
		{"UTF-16", "\xff\xfet\x00i\x00", "lab/lab.yaml:1:1: byte 0xff is not UTF-8 (save the file as UTF-8)"},
		{"control character", head + "author: \"\x1b[31m\"\n", "lab/lab.yaml:2:10: control character U+001B (remove it)"},
		{"empty", "", `lab/lab.yaml:1:1: the file is empty (begin with "title: …")`},
		{"too many nodes", head + "nodes:\n" + nodes.String() + "segments: {lan: switch}\n", "lab/lab.yaml:67:3: more than 64 nodes (split the lab)"},
		{"line ends of another system", "title: x\r\nnodes:\r\n  pc1:\r\n    mtu: 1\r\n", `lab/lab.yaml:4:5: a node has no key "mtu" (its keys are image, kernel, mode, memory, disk, interfaces, sysctls, startup, files, publish, at)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := labs.Load(fstest.MapFS{
				"lab/lab.yaml": {Data: []byte(test.yaml)},
				"lab/guide.md": {Data: []byte("# x\n")},
			}, "lab")
			problems, ok := errors.AsType[labs.Problems](err)
			if !ok {
				t.Fatalf("Load = %v; want Problems", err)
			}
			if problems.Error() != test.want {
				t.Errorf("got:\n%.2000s\nwant:\n%s", problems.Error(), test.want)
			}
			if len(problems) > 101 {
				t.Errorf("%d problems", len(problems))
			}
		})
	}
}

// TestLimitsByExtends: labs that are within bounds one by one add up.
func TestLimitsByExtends(t *testing.T) {
	fsys := fstest.MapFS{"lab/guide.md": {Data: []byte("# x\n")}}
	for i, name := range []string{"base", "lab"} {
		var y strings.Builder
		y.WriteString("title: x\n")
		if name == "lab" {
			y.WriteString("extends: ../base\n")
		}
		y.WriteString("nodes:\n  pc1:\n    interfaces:\n")
		for j := range 16 {
			fmt.Fprintf(&y, "      eth%d: s%d-%d\n", 16*i+j, i, j)
		}
		y.WriteString("segments:\n")
		for j := range 256 {
			fmt.Fprintf(&y, "  s%d-%d:\n", i, j)
		}
		fsys[name+"/lab.yaml"] = &fstest.MapFile{Data: []byte(y.String())}
	}
	_, err := labs.Load(fsys, "lab")
	for _, want := range []string{
		"lab/lab.yaml:6:7: more than 16 interfaces on one node (spread them over more nodes)",
		"lab/lab.yaml:23:3: more than 256 segments (split the lab)",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load = %.200v…; want %s in it", err, want)
		}
	}
}

// TestProblemString: what a file is called moves no terminal's cursor.
func TestProblemString(t *testing.T) {
	_, err := labs.Load(fstest.MapFS{
		"lab/lab.yaml":                  {Data: []byte("title: x\nnodes: {pc1: }\n")},
		"lab/guide.md":                  {Data: []byte("# x\n")},
		"lab/solution/\x1b[2J.sh":       {},
		"lab/nodes/pc1/etc/\x1b[31mred": {Data: []byte("x")},
	}, "lab")
	if err == nil || strings.Contains(err.Error(), "\x1b") || !strings.Contains(err.Error(), `"lab/solution/\x1b[2J.sh"`) {
		t.Errorf("Load = %q; want the names quoted", err)
	}
}

// TestLoadSymlinks: a lab from elsewhere must not show what lies outside it.
func TestLoadSymlinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	const yaml = "title: x\nnodes:\n  pc1:\n    files:\n      /etc/x: {source: files/x}\n"
	tests := []struct{ link, to, want string }{
		{"lab/files/x", outside, `lab/lab.yaml:5:24: source "files/x" is, or lies behind, a symbolic link (put an ordinary file there)`},
		{"lab/files", filepath.Dir(outside), `lab/lab.yaml:5:24: source "files/x" is, or lies behind, a symbolic link (put an ordinary file there)`},
		{"lab/nodes/pc1/etc/y", outside, "lab/nodes/pc1/etc/y: this is, or lies behind, a symbolic link"},
		{"lab/nodes/pc1", filepath.Dir(outside), "lab/nodes/pc1: this is, or lies behind, a symbolic link"},
		{"lab/nodes", filepath.Dir(outside), "lab/nodes: this is, or lies behind, a symbolic link"},
		{"lab/solution/pc1.sh", outside, "lab/solution/pc1.sh: this is, or lies behind, a symbolic link"},
		{"lab/guide.md", outside, "lab/guide.md: this is, or lies behind, a symbolic link"},
		{"lab/lab.yaml", outside, "lab/lab.yaml: this is, or lies behind, a symbolic link (a lab is a folder with lab.yaml and guide.md)"},
	}
	for _, test := range tests {
		t.Run(test.link, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range map[string]string{"lab/lab.yaml": yaml, "lab/guide.md": "# x\n", "lab/files/x": "x"} {
				if name == test.link || strings.HasPrefix(name, test.link+"/") {
					continue
				}
				p := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(data), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			p := filepath.Join(dir, test.link)
			if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.Symlink(test.to, p)); err != nil {
				t.Fatal(err)
			}
			_, err := labs.Load(os.DirFS(dir), "lab")
			if err == nil || err.Error() != test.want {
				t.Errorf("Load = %v; want %s", err, test.want)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(fullLab))
	paths, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := txtar.Parse(data)
		lab, err := labs.Load(txtarFS(a), "lab")
		if (lab == nil) == (err == nil) {
			t.Fatalf("Load = %v, %v; want one of them", lab, err)
		}
		if err == nil {
			return
		}
		problems, ok := errors.AsType[labs.Problems](err)
		if !ok {
			t.Fatalf("error is %T; want Problems", err)
		}
		lines := map[string]int{}
		for _, file := range a.Files {
			lines[file.Name] = strings.Count(string(file.Data), "\n") + 1
		}
		for _, p := range problems {
			if p.File == "" || p.Message == "" || p.Line < 0 || p.Line > 0 && (p.Col < 1 || p.Line > lines[p.File]+1) {
				t.Errorf("bad place: %+v", p)
			}
		}
	})
}
