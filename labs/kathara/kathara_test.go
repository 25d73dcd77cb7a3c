package kathara_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/kathara"
)

func folder(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return fsys
}

func TestReadConfErrors(t *testing.T) {
	for _, tt := range []struct{ name, conf, want string }{
		{"a line that is none", "a[0]=x\nhello there\n", "lab.conf:2:1: this line of lab.conf is not understood"},
		{"a capital", "A[0]=x\n", "lab.conf:1:1: this line"},
		{"quotes that differ", "a[0]=\"x'\n", "lab.conf:1:1: this line"},
		{"a comment after a space", "  # fine\n # fine\na[0]=x y\n", `lab.conf:3:1: "x y" is not the name of a collision domain`},
		{"a hole in the numbers", "a[0]=x\na[2]=y\n", "lab.conf:2:1: a has eth2 and no eth1"},
		{"a number twice", "a[0]=x\na[0]=y\n", "lab.conf:2:1: eth0 of a is in line 1 already"},
		{"a domain twice", "a[0]=x\na[1]=x\n", "lab.conf:2:1: a is on collision domain x already, by eth0 in line 1"},
		{"a bad MAC address", "a[0]=x/00:11\n", `"00:11" is not the MAC address`},
		{"a group's MAC address", "a[0]=x/01:00:5e:00:00:01\n", "is not the MAC address"},
		{"a reserved name", "shared[0]=x\n", `"shared" cannot be the name of a device`},
		{"nothing", "# nothing\n", "there is no device"},
		{"several", "?\na[0]=x\n!\n", "lab.conf:3:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := kathara.ReadConf("lab.conf", []byte(tt.conf))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one with %q", err, tt.want)
			}
		})
	}
}

func TestReadConf(t *testing.T) {
	conf, notes, err := kathara.ReadConf("lab.conf", []byte("\ufeffLAB_NAME=\"Two = one\"\r\nr1[1]='B'\r\nr1[0]=A/02:00:00:00:00:0A # first\r\nr1[exec]=\"ip link\"\r\nr1[exec]=id\r\nr1[image]=\"kathara/frr\"\r\n"))
	if err != nil || len(notes) != 0 {
		t.Fatal(err, notes)
	}
	d := conf.Devices[0]
	if conf.Dialect != kathara.Kathara || conf.Meta["name"] != (kathara.Value{Text: "Two = one", Line: 1}) || len(conf.Devices) != 1 || d.Name != "r1" {
		t.Errorf("got %+v", conf)
	}
	if want := []kathara.Interface{{0, "A", "02:00:00:00:00:0a", 3}, {1, "B", "", 2}}; !slices.Equal(d.Interfaces, want) {
		t.Errorf("interfaces %v; want %v", d.Interfaces, want)
	}
	if want := []kathara.Option{{"exec", "ip link", 4}, {"exec", "id", 5}, {"image", "kathara/frr", 6}}; !slices.Equal(d.Options, want) {
		t.Errorf("options %v; want %v", d.Options, want)
	}
}

func TestDialect(t *testing.T) {
	for _, tt := range []struct {
		conf string
		want kathara.Dialect
	}{
		{"a[0]=x\n", kathara.Kathara},
		{"a[0]=x\na[mem]=64m\n", kathara.Kathara},
		{"a[0]=x\na[mem]=64\nAnything.\n", kathara.Netkit},
		{"machines=\"a b\"\na[0]=x\nAnything.\n", kathara.Netkit},
		{"a[0]=tap,10.0.0.1,10.0.0.2\n", kathara.Netkit},
		{"a[0]=x\na[con1]=none\n", kathara.Netkit},
	} {
		conf, _, err := kathara.ReadConf("lab.conf", []byte(tt.conf))
		if err != nil || conf.Dialect != tt.want {
			t.Errorf("%q: %+v, %v; want %s", tt.conf, conf, err, tt.want)
		}
	}
}

// small is a lab in Kathará's form.
func small() map[string]string {
	return map[string]string{
		"lab.conf": "LAB_NAME=Small\nLAB_DESCRIPTION=\"Two machines.\"\nLAB_AUTHOR=\"A. Author\"\n" +
			"pc_1[0]=A\npc_1[image]=kathara/base\npc_1[ipv6]=True\npc_1[sysctl]=net.ipv4.tcp_ecn=1\n" +
			"r1[0]=A\nr1[1]=b\nr1[image]=kathara/quagga\nr1[port]=8080:80/tcp\nr1[bridged]=true\nr1[mem]=16m\nr1[colour]=red\n" +
			"eve[0]=A\neve[image]=lscr.io/linuxserver/wireshark\n",
		"pc_1.startup":              "#!/bin/bash\n# its address\nip a add 10.0.0.1/24 dev eth0\necho 'a: b' > /tmp/x\n",
		"r1.startup":                "for i in 0 1; do\n  ip link set eth$i up\ndone\n",
		"r1.shutdown":               "true\n",
		"shared.startup":            "touch /tmp/all\n",
		"r1/etc/quagga/bgpd.conf":   "router bgp 1\r\n",
		"r1/var/www/html/i.html":    "hi",
		"r1/proc/x":                 "no",
		"shared/hello":              "hello",
		"eve/etc/x":                 "x",
		"README.md":                 "## Do it\n\nGo.\n",
		"notes.pcap":                "x",
		"lab.dep":                   "r1: pc_1\n",
		".git/config":               "x",
		"other/etc/passwd":          "x",
		"nobody.startup":            "true\n",
		"pc_1/root/.hidden/program": "#!/bin/sh\n",
	}
}

func TestRead(t *testing.T) {
	im, err := kathara.Read(folder(small()), "small")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := labs.Load(im.FS(), "small")
	if err != nil {
		t.Fatal(err)
	}
	if lab.Title != "Small" || lab.Author != "A. Author" || !strings.Contains(lab.Guide, "Do it") || !strings.Contains(lab.Description, "r1.shutdown") {
		t.Errorf("the lab is %q of %q, guide %q, description %q", lab.Title, lab.Author, lab.Guide, lab.Description)
	}
	topo := lab.Topology
	if len(topo.Nodes) != 2 || topo.Nodes[0].Name != "pc-1" || topo.Nodes[1].Name != "r1" || len(topo.Segments) != 2 || topo.Segments[0].Kind != labs.Switch {
		t.Fatalf("topology %+v", topo)
	}
	pc, r1 := topo.Nodes[0], topo.Nodes[1]
	wantPC := []string{"touch /tmp/all", "ip a add 10.0.0.1/24 dev eth0", "echo 'a: b' > /tmp/x"}
	if !slices.Equal(pc.Startup, wantPC) {
		t.Errorf("pc-1 starts with %q; want %q", pc.Startup, wantPC)
	}
	wantR1 := []string{"chown -R frr:frr /etc/frr", "chmod -R 777 /var/www", "touch /tmp/all", "bash /etc/lab/r1.startup"}
	if !slices.Equal(r1.Startup, wantR1) {
		t.Errorf("r1 starts with %q; want %q", r1.Startup, wantR1)
	}
	for _, s := range []labs.Sysctl{{Key: "net.ipv4.tcp_ecn", Value: "1"}, {Key: "net.ipv4.ip_forward", Value: "1"}, {Key: "net.ipv6.conf.all.disable_ipv6", Value: "0"}, {Key: "net.ipv6.conf.all.forwarding", Value: "1"}} {
		if !slices.Contains(pc.Sysctls, s) {
			t.Errorf("pc-1 lacks %v: %v", s, pc.Sysctls)
		}
	}
	if !slices.Contains(r1.Sysctls, labs.Sysctl{Key: "net.ipv6.conf.all.disable_ipv6", Value: "1"}) || !slices.Equal(r1.Publish, []uint16{80}) || r1.MemoryBytes != 96<<20 {
		t.Errorf("r1 is %+v", r1)
	}
	files := map[string]string{}
	for _, f := range r1.Files {
		files[f.Path] = string(f.Data)
	}
	want := map[string]string{
		"/etc/frr/bgpd.conf": "frr version 7.3\nfrr defaults traditional\nrouter bgp 1\n", "/var/www/html/i.html": "hi",
		"/shared/hello": "hello", "/etc/lab/r1.startup": small()["r1.startup"],
	}
	for path, text := range want {
		if files[path] != text {
			t.Errorf("%s of r1 is %q; want %q", path, files[path], text)
		}
	}
	if len(files) != len(want) {
		t.Errorf("r1 has %d files; want %d: %v", len(files), len(want), files)
	}
	var said strings.Builder
	for _, n := range im.Notes {
		said.WriteString(n.String() + "\n")
	}
	for _, w := range []string{
		"lab.conf:4: pc_1 is called pc-1", "lab.conf:10: r1: Quagga is FRR here", "lab.conf:11: r1: port 80 opens", "lab.conf:12: r1: bridged is not",
		"lab.conf:13: r1 has 96 MiB", `lab.conf:14: r1: the option "colour"`, "lab.conf:16: eve is left out", "r1.shutdown: It is not run",
		"r1/etc/quagga/bgpd.conf: Its line ends", "r1/proc/x: It is left out", "notes.pcap: The file is left out", "lab.dep: The order",
		"other: The folder is left out", "nobody.startup: It is left out", "shared: Each machine has a copy",
	} {
		if !strings.Contains(said.String(), w) {
			t.Errorf("no note says %q:\n%s", w, &said)
		}
	}
	if im.Nodes["pc_1"] != "pc-1" || im.Segments["A"] != "a" {
		t.Errorf("names %v, %v", im.Nodes, im.Segments)
	}
}

func TestNetkit(t *testing.T) {
	im, err := kathara.Read(folder(map[string]string{
		"lab.conf":     "LAB_DESCRIPTION=\"Old\"\nThis is a comment.\nPC[0]=A\nPC[mem]=128\nr2[0]=A\nr2[1]=tap,10.0.0.1,10.0.0.2\n",
		"PC/x":         "1",
		"r2/etc/motd":  "own",
		"r3/y":         "1",
		"r2.startup":   "ifconfig eth0 10.0.0.1\n",
		"shared/z":     "2",
		"shared/etc/a": "3",
	}), "old")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := labs.Load(im.FS(), "old")
	if err != nil {
		t.Fatal(err)
	}
	topo := lab.Topology
	if len(topo.Nodes) != 3 || topo.Nodes[0].Name != "pc" || topo.Nodes[2].Name != "r3" || len(topo.Segments) != 1 || topo.Segments[0].Kind != labs.Hub {
		t.Fatalf("topology %+v", topo)
	}
	r2 := topo.Nodes[1]
	if !slices.Equal(r2.Startup, []string{"sh /etc/lab/r2.startup"}) || len(r2.Interfaces) != 2 || r2.Interfaces[1].Segment != "" {
		t.Errorf("r2 is %+v", r2)
	}
	if !slices.ContainsFunc(r2.Files, func(f labs.File) bool { return f.Path == "/etc/a" && string(f.Data) == "3" }) {
		t.Errorf("r2 lacks what is shared: %v", r2.Files)
	}
	if topo.Nodes[0].MemoryBytes != 128<<20 {
		t.Errorf("pc has %d bytes of memory", topo.Nodes[0].MemoryBytes)
	}
}

func TestReadErrors(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"P4", "lab.conf", "a[0]=x\na[image]=kathara/p4\n", "lab.conf:2:1: a has the image \"kathara/p4\": a P4 switch does not run here"},
		{"another image's registry", "lab.conf", "a[0]=x\na[image]=docker.io/kathara/scion:latest\n", ""},
		{"lab.ext", "lab.ext", "A eth0\n", "lab.ext: lab.ext joins"},
		{"a sysctl elsewhere", "lab.conf", "a[0]=x\na[sysctl]=kernel.panic=1\n", "lab.conf:2:1: \"kernel.panic=1\" is not a kernel setting below net"},
		{"a bad port", "lab.conf", "a[0]=x\na[port]=x:y\n", "lab.conf:2:1"},
		{"bad memory", "lab.conf", "a[0]=x\na[mem]=much\n", "lab.conf:2:1"},
		{"lab.dep", "lab.dep", "a: a\n", "lab.dep:1:1: a waits for itself"},
		{"lab.dep of nobody", "lab.dep", "\nb: a\n", "lab.dep:2:1: there is no device \"b\""},
		{"lab.dep of nothing", "lab.dep", "a b\n", "lab.dep:1:1: this line of lab.dep is not understood"},
		{"no text", "a.startup", "\x00", "a.startup: this is not a text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"lab.conf": "a[0]=x\n"}
			files[tt.file] = tt.text
			_, err := kathara.Read(folder(files), "x")
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one with %q", err, tt.want)
			}
		})
	}
}

func TestOldBIND(t *testing.T) {
	const conf = "options {\n  directory \"/var/cache/bind\";\n  dnssec-enable no; // old\n  dnssec-validation no;\n  filter-aaaa-on-v4 yes;\n};\n"
	im, err := kathara.Read(folder(map[string]string{"lab.conf": "a[0]=x\n", "a/etc/bind/named.conf.options": conf}), "x")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("  dnssec-enable", "//   dnssec-enable", "  filter", "//   filter").Replace(conf)
	if got := string(im.Files["nodes/a/etc/bind/named.conf.options"].Data); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if len(im.Notes) != 2 || im.Notes[0].Line != 3 || im.Notes[1].Line != 5 {
		t.Errorf("notes %v; want lines 3 and 5", im.Notes)
	}
}

// TestGuideOfAnother holds that a readme that cannot be a guide costs nothing
// but the readme.
func TestGuideOfAnother(t *testing.T) {
	files := small()
	files["README.md"] = strings.Repeat(">", 40) + " deep\n"
	im, err := kathara.Read(folder(files), "small")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(im.Notes, func(n kathara.Note) bool { return n.File == "README.md" }) || bytes.Contains(im.Files["guide.md"].Data, []byte("deep")) {
		t.Errorf("notes %v\nguide %s", im.Notes, im.Files["guide.md"].Data)
	}
}

func TestNames(t *testing.T) {
	im, err := kathara.Read(folder(map[string]string{"lab.conf": "a_b[0]=X\nab_[0]=x\n1[0]=9\nhost[0]=X_1\na_b_[0]=X\n"}), "x")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range []map[string]string{im.Nodes, im.Segments} {
		for from, to := range m {
			if seen[to] {
				t.Errorf("%s is %s, as another is", from, to)
			}
			seen[to] = true
		}
	}
	if im.Nodes["a_b"] != "a-b" || im.Nodes["1"] != "n-1" || im.Nodes["host"] != "n-host" || im.Segments["9"] != "lan-9" || im.Nodes["a_b_"] != "a-b-2" {
		t.Errorf("names %v, %v", im.Nodes, im.Segments)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small()["lab.conf"]), []byte("r1: pc_1\n"), []byte("ip link\n"))
	f.Add([]byte("machines=\"a b\"\nx\na[mem]=3\na[0]=tap,1,2\n"), []byte("a: b\nb: a\n"), []byte("if true; then\n\tid\nfi\n"))
	f.Add([]byte("a[0]='x'\na[env]=A='b\na[exec]=\"- {\"\n"), []byte(":"), []byte("- a: b\n\"'\n# #\n"))
	f.Fuzz(func(t *testing.T, conf, dep, startup []byte) {
		im, err := kathara.Read(fstest.MapFS{
			"lab.conf": {Data: conf}, "lab.dep": {Data: dep}, "shared.startup": {Data: startup}, "README": {Data: startup},
		}, "fuzz")
		if err != nil {
			if _, ok := err.(labs.Problems); !ok {
				t.Fatalf("the error is ours: %v", err)
			}
			if strings.Contains(err.Error(), "made into a lab of Patchbay, lab.yaml") && !strings.Contains(err.Error(), "more than") {
				t.Fatalf("the lab.yaml is not in order: %v", err)
			}
			return
		}
		if _, err := labs.Load(im.FS(), "fuzz"); err != nil {
			t.Fatal(err)
		}
	})
}
