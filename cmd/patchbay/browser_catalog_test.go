package main_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// TestCatalogPath goes the way of an instructor through the catalog: from the
// map to a lab, into a course, to a copy, whose title is changed in its
// archive and sent, and which is started then.
func TestCatalogPath(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	ada := s.student(admin, "ada", "two-hosts", "static-routing")

	teacher := s.browse()
	teacher.logIn("admin")
	teacher.do(chromedp.Navigate(s.url+"/"), chromedp.Click(chromedp.CSS(`nav a[href="/catalog"]`)))
	teacher.wait("the map", `document.querySelector("svg.map [data-lab=vlans]") && document.querySelectorAll("svg.map .map-edge").length >= 4`)
	teacher.catalogLooks("teacher-few")

	// The search as one types, and the same by address.
	teacher.do(chromedp.SendKeys(chromedp.CSS(`input[name=q]`), "stick"))
	found := `[...document.querySelectorAll("[data-catalog-lab]:not([hidden])")].map(e => e.dataset.catalogLab).join(" ")`
	teacher.wait("what was typed found", found+` === "vlans"`)
	teacher.wait("it told", `document.querySelector("[role=status]").textContent.startsWith("1 of ")`)
	if dim := eval[string](teacher, `[...document.querySelectorAll(".map-lab:not(.map-dim)")].map(e => e.dataset.lab).join(" ")`); dim != "vlans" {
		teacher.fail("the map shows %q", dim)
	}
	teacher.catalogLooks("teacher-search")
	if where := eval[string](teacher, `location.search`); where != "?q=stick" {
		teacher.fail("the address says %q", where)
	}
	teacher.do(chromedp.Navigate(s.url + "/catalog?q=nothing+like+it"))
	teacher.wait("nothing", `!document.querySelector("[data-catalog-none]").hidden`)
	teacher.catalogLooks("teacher-none")
	teacher.do(chromedp.Click(chromedp.CSS(`[data-catalog-clear]`)))
	teacher.wait("all again", `document.querySelectorAll("[data-catalog-lab]:not([hidden])").length >= 5`)

	teacher.do(chromedp.Click(chromedp.CSS(`svg.map [data-lab=vlans]`)))
	teacher.wait("the lab's page", `location.pathname === "/catalog/vlans" && document.querySelector("#use select")`)
	teacher.catalogLooks("lab")
	teacher.do(chromedp.Click(chromedp.CSS(`button[value=practice]`)))
	teacher.wait("the course", `location.pathname.startsWith("/courses/") && document.querySelector("[role=status]").textContent.includes("VLANs")`)
	if !eval[bool](teacher, `document.querySelector("input[name=lab][value=vlans]").checked && document.querySelector("input[name=lab][value=two-hosts]").checked`) {
		teacher.fail("the course has not the labs that it should")
	}
	teacher.do(chromedp.Navigate(s.url+"/catalog/vlans"), chromedp.Click(chromedp.CSS(`button[value=assignment]`)))
	teacher.wait("the new assignment", `location.pathname.endsWith("/assignments/new") && document.querySelector("select[name=lab]").value === "vlans"`)

	// A name that is taken, and one that is not.
	teacher.do(chromedp.Navigate(s.url+"/catalog/two-hosts"), chromedp.SetValue(chromedp.CSS(`#name`), "static-routing"), chromedp.Click(chromedp.CSS(`#copy form button`)))
	teacher.wait("the refusal", `document.querySelector("#copy [role=alert]")?.textContent.includes("static-routing already")`)
	teacher.forgive("409")
	teacher.catalogLooks("lab-clash")
	teacher.do(chromedp.SetValue(chromedp.CSS(`#name`), "my-hosts"), chromedp.Click(chromedp.CSS(`#copy form button`)))
	teacher.wait("the copy", `location.pathname === "/catalog/my-hosts" && document.querySelector("#archive")`)
	teacher.catalogLooks("lab-copied")

	href := eval[string](teacher, `document.querySelector("#copy a[download]").getAttribute("href")`)
	file := filepath.Join(t.TempDir(), "whatever.zip")
	if err := os.WriteFile(file, retitled(t, s.download(admin, href), "my-hosts/lab.yaml", "Hosts of my own"), 0o600); err != nil {
		t.Fatal(err)
	}
	teacher.do(chromedp.SetUploadFiles(chromedp.CSS(`#archive`), []string{file}), chromedp.Click(chromedp.CSS(`form[action="/labs"] button`)))
	teacher.wait("the new version", `location.pathname === "/labs/my-hosts/versions" && document.querySelector("h1").textContent === "Hosts of my own" && document.querySelectorAll("tbody tr").length === 2`)
	teacher.do(chromedp.Click(chromedp.CSS(`main a[href="/labs/my-hosts"]`)))
	teacher.running()
	if title := eval[string](teacher, `document.querySelector("h1").textContent`); title != "Hosts of my own" {
		teacher.fail("the lab that runs is called %q", title)
	}
	s.api(admin, "DELETE", "/api/v1/racks/"+eval[string](teacher, `patchbay.state().rack`), nil, nil)

	// What is the instructor's is not ada's, who cannot copy either.
	for path, want := range map[string]int{"/catalog/my-hosts": 404, "/catalog/vlans": 200, "/catalog/ospf-triangle": 200} {
		if got := s.status(ada, path); got != want {
			t.Errorf("%s as a student: %d; want %d", path, got, want)
		}
	}
}

// TestCatalogMap is the map of thirty labs, as a student who is half-way sees it.
func TestCatalogMap(t *testing.T) {
	dir := t.TempDir()
	slugs := manyLabs(t, dir)
	s := serveSite(t, browsable(), "--labs", dir)
	admin := s.admin()
	s.student(admin, "ada", append([]string{"two-hosts", "vlans", "static-routing", "ospf-triangle"}, slugs[:26]...)...)
	func() {
		ctx := context.Background()
		db, err := sqlite.Open(ctx, filepath.Join(s.state, "patchbay.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ada, _, err := db.UserByLogin(ctx, "ada")
		for _, slug := range []string{"two-hosts", "vlans", "arp", "subnets"} {
			if err == nil {
				err = db.SetPassed(ctx, ada.ID, slug, "d")
			}
		}
		if err == nil {
			_, _, err = db.EnsureRack(ctx, labs.RackFor{UserID: ada.ID, LabSlug: "stp"}, "d")
		}
		if err != nil {
			t.Fatal(err)
		}
	}()
	student := s.browse()
	student.logIn("ada")
	student.do(chromedp.Navigate(s.url + "/catalog"))
	student.wait("the map", `document.querySelectorAll("svg.map .map-lab").length >= 30`)
	student.catalogLooks("student-many")
	// No two cards lie on one another, no word leaves its card.
	if bad := eval[string](student, `(() => {
		const out = [], cards = [...document.querySelectorAll(".map-lab")];
		const box = c => c.querySelector(".map-card").getBoundingClientRect();
		cards.forEach((a, i) => {
			const A = box(a);
			for (const t of a.querySelectorAll(".map-title, .map-facts")) {
				const T = t.getBoundingClientRect();
				if (T.left < A.left || T.right > A.right || T.top < A.top || T.bottom > A.bottom) out.push(t.textContent + " leaves its card");
			}
			for (const b of cards.slice(i + 1)) {
				const B = box(b);
				if (A.left < B.right && B.left < A.right && A.top < B.bottom && B.top < A.bottom) out.push(a.dataset.lab + " lies on " + b.dataset.lab);
			}
		});
		return out.join("; ");
	})()`); bad != "" {
		student.fail("%s", bad)
	}
	// The keyboard gets to every lab without script's help, and the map is one stop.
	if n := eval[int](student, `[...document.querySelectorAll("svg.map a")].filter(a => a.tabIndex >= 0).length`); n != 0 {
		student.fail("%d labs of the map are in the way of the keyboard", n)
	}
	student.do(chromedp.Navigate(s.url + "/catalog/bgp-peering"))
	student.catalogLooks("student-lab")
	teacher := s.browse()
	teacher.logIn("admin")
	teacher.do(chromedp.Navigate(s.url + "/catalog?topic=routing"))
	teacher.catalogLooks("teacher-many-routing")
}

// catalogLooks is looks, and a tablet's width.
func (p *page) catalogLooks(name string) {
	p.t.Helper()
	p.looks(name)
	for _, scheme := range []string{"light", "dark"} {
		p.do(chromedp.EmulateViewport(768, 1024), inScheme(scheme))
		if over := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			p.t.Errorf("%s is %d px wider than a window of 768", name, over)
		}
		p.whole(name + "-768-" + scheme)
	}
	p.do(chromedp.EmulateViewport(1280, 800))
}

// download gets a file as somebody.
func (s *site) download(c *http.Client, path string) []byte {
	s.t.Helper()
	resp, err := c.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return data
}

func (s *site) status(c *http.Client, path string) int {
	s.t.Helper()
	resp, err := c.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// retitled is an archive with another title in a lab.yaml.
func retitled(t *testing.T, archive []byte, name, title string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	changed := false
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			lines := strings.Split(string(data), "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, "title:") {
					lines[i], changed = "title: "+title, true
				}
			}
			data = []byte(strings.Join(lines, "\n"))
		}
		entry, err := w.CreateHeader(&f.FileHeader)
		if err == nil {
			_, err = entry.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || !changed {
		t.Fatalf("%s has no title to change, or %v", name, err)
	}
	return out.Bytes()
}

// manyLabs writes labs of every topic, as a catalog of two courses has them.
func manyLabs(t *testing.T, dir string) (slugs []string) {
	t.Helper()
	for _, l := range []struct{ slug, title, topic, difficulty, requires string }{
		{"arp", "Who has this address? ARP", "addressing", "beginner", "two-hosts"},
		{"subnets", "Cutting a network into subnets", "addressing", "beginner", "arp"},
		{"slaac", "IPv6 and SLAAC", "addressing", "intermediate", "arp"},
		{"dhcp", "Addresses from a server: DHCP", "addressing", "beginner", "arp"},
		{"bridges", "A bridge learns", "switching", "beginner", "two-hosts"},
		{"stp", "Loops, and how spanning tree ends them", "switching", "intermediate", "bridges"},
		{"rip", "RIP counts to infinity", "routing", "intermediate", "static-routing"},
		{"ospf-areas", "OSPF with areas", "routing", "advanced", "ospf-triangle"},
		{"isis", "IS-IS", "routing", "advanced", "ospf-triangle"},
		{"multicast", "Multicast: one sender, many who listen", "routing", "advanced", "static-routing, stp"},
		{"bgp-peering", "BGP: two networks peer", "interdomain", "intermediate", "static-routing"},
		{"bgp-policy", "BGP: policy", "interdomain", "advanced", "bgp-peering, ospf-triangle"},
		{"bgp-multihoming", "BGP: two ways out", "interdomain", "advanced", "bgp-policy"},
		{"tcp-handshake", "TCP says hello", "transport", "beginner", "two-hosts"},
		{"congestion", "TCP and a full queue: congestion control", "transport", "advanced", "tcp-handshake, lossy-link"},
		{"shaping", "Traffic control", "transport", "advanced", "congestion"},
		{"dns", "DNS: who knows the name?", "applications", "beginner", "two-hosts"},
		{"dns-delegation", "DNS: delegation and caching", "applications", "intermediate", "dns, static-routing"},
		{"http-tls", "HTTP, then TLS", "applications", "intermediate", "dns, tcp-handshake"},
		{"nat", "NAT and a firewall", "security", "intermediate", "static-routing, tcp-handshake"},
		{"arp-spoofing", "ARP spoofing and its defence", "security", "intermediate", "arp, bridges"},
		{"ids", "Seeing an intruder", "security", "advanced", "nat"},
		{"gre", "A tunnel: GRE", "tunnels", "intermediate", "static-routing"},
		{"wireguard", "WireGuard", "tunnels", "intermediate", "gre"},
		{"vxlan", "VXLAN and EVPN", "tunnels", "advanced", "vlans, bgp-peering, gre"},
		{"mpls", "MPLS", "tunnels", "advanced", "ospf-triangle"},
		{"faults", "Find the fault", "operations", "intermediate", "static-routing, subnets, missing-lab"},
	} {
		yaml := fmt.Sprintf("title: %q\nsummary: One sentence that says what this lab is about, as long as they are.\ntopic: %s\ndifficulty: %s\nminutes: 45\nrequires: [%s]\ntags: [test]\nnodes: {pc1: {}}\n",
			l.title, l.topic, l.difficulty, l.requires)
		for name, text := range map[string]string{"lab.yaml": yaml, "guide.md": "# Do\n"} {
			file := filepath.Join(dir, l.slug, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		slugs = append(slugs, l.slug)
	}
	return slugs
}
