package web_test

import (
	"archive/zip"
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/patchbay/patchbay/labs/library"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/web"
)

// newLibrarySite is newSite with a library, into which ivan has sent static-routing.
func newLibrarySite(t *testing.T) (*site, *library.Library) {
	t.Helper()
	l, err := library.Open(filepath.Join(t.TempDir(), "library"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t, func(c *web.Config) { c.Library, c.Labs = l, nil })
	_, err = l.Add(context.Background(), "x.zip", bytes.NewReader(zipped(t, "static-routing", "First", "# Begin\n")), library.By{Login: "ivan"})
	s.must(err)
	return s, l
}

// zipped is a lab in an archive.
func zipped(t *testing.T, slug, title, guide string) []byte {
	t.Helper()
	return archiveOf(t, map[string]string{slug + "/lab.yaml": "title: " + title + "\nnodes: {pc1: {}}\n", slug + "/guide.md": guide})
}

func archiveOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// send sends an archive through the form.
func (b *browser) send(name string, archive []byte) answer {
	b.s.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	w, err := m.CreateFormFile("archive", name)
	b.s.must(err)
	_, err = w.Write(archive)
	b.s.must(err)
	b.s.must(m.Close())
	return b.do(http.MethodPost, "/labs", m.FormDataContentType(), &body)
}

func TestSendLab(t *testing.T) {
	s, _ := newLibrarySite(t)
	ivan, iris, ada := s.as("ivan"), s.as("iris"), s.as("ada")
	ivan.send("mine.zip", zipped(t, "mine", "My lab", "# Do\n")).wants(t, http.StatusSeeOther)
	ivan.get("/labs").wants(t, http.StatusOK, "My lab", `enctype="multipart/form-data"`)
	ivan.get("/labs/mine/versions").wants(t, http.StatusOK, "My lab", "ivan", "Download", "Remove this lab")
	iris.send("mine.zip", zipped(t, "mine", "Hers", "# Do\n")).wants(t, http.StatusUnprocessableEntity, "There is a lab mine already, of ivan")
	ivan.send("x.zip", zipped(t, "mine", "[broken", "# Do\n")).wants(t, http.StatusUnprocessableEntity, "mine/lab.yaml:2:1", "Nothing was changed")
	ivan.send("x.zip", archiveOf(t, map[string]string{"../<script>": "x"})).wants(t, http.StatusUnprocessableEntity, "../&lt;script&gt; leads out")
	ivan.send("x.zip", []byte("no archive")).wants(t, http.StatusUnprocessableEntity, "no archive that Patchbay can read")
	ivan.send("", nil).wants(t, http.StatusUnprocessableEntity, "Choose an archive first")

	// Students neither send nor look, and do not find what is in no course of theirs.
	ada.send("x.zip", zipped(t, "hers", "Hers", "# Do\n")).wants(t, http.StatusForbidden)
	ada.get("/labs/static-routing/versions").wants(t, http.StatusForbidden)
	ada.get("/labs/mine").wants(t, http.StatusNotFound)
	iris.post("/labs/mine/remove", nil).wants(t, http.StatusForbidden)
	ivan.post("/labs/mine/remove", nil).wants(t, http.StatusSeeOther)
	ivan.get("/labs/mine").wants(t, http.StatusNotFound)
	ivan.get("/labs/mine/versions").wants(t, http.StatusOK, "was removed", "Download")
}

func TestLabsAPI(t *testing.T) {
	s, _ := newLibrarySite(t)
	ivan, ada := s.script("ivan"), s.script("ada")
	const path = "/api/v1/labs"
	post := func(b *browser, query string, archive []byte) answer {
		return b.do(http.MethodPost, path+query, "application/octet-stream", bytes.NewReader(archive))
	}
	post(ivan, "?name=my-lab.zip", archiveOf(t, map[string]string{"lab.yaml": "title: Root\nnodes: {pc1: {}}\n", "guide.md": "# Do\n"})).
		wants(t, http.StatusCreated, `"slug": "my-lab"`)
	post(ivan, "", zipped(t, "my-lab", "[broken", "# Do\n")).wants(t, http.StatusUnprocessableEntity, `"problems": [`, `"line": 2`)
	post(ada, "", zipped(t, "my-lab", "Ada's", "# Do\n")).wants(t, http.StatusForbidden)
	post(s.browser(), "", zipped(t, "my-lab", "Nobody's", "# Do\n")).wants(t, http.StatusUnauthorized)

	var versions []struct{ Digest, Title, By, Source string }
	ivan.api(http.MethodGet, path+"/my-lab/versions", nil, &versions).wants(t, http.StatusOK)
	if len(versions) != 1 || versions[0].Title != "Root" || versions[0].By != "ivan" || versions[0].Source != "upload" {
		t.Fatalf("versions: %+v", versions)
	}
	archive := ivan.get(path + "/my-lab/versions/" + versions[0].Digest)
	archive.wants(t, http.StatusOK)
	if z, err := zip.NewReader(strings.NewReader(archive.body), int64(len(archive.body))); err != nil || len(z.File) != 2 {
		t.Errorf("the archive: %v", err)
	}
	ada.get(path+"/my-lab/versions/"+versions[0].Digest).wants(t, http.StatusForbidden)
	ivan.get(path+"/my-lab/versions/..%2f..%2findex").wants(t, http.StatusNotFound)
	ivan.api(http.MethodDelete, path+"/my-lab", nil, nil).wants(t, http.StatusNoContent)
	ivan.api(http.MethodDelete, path+"/my-lab", nil, nil).wants(t, http.StatusNotFound)
}

// TestRackStaysOnVersion holds that what a student's rack runs with, its guide
// among it, does not change below them.
func TestRackStaysOnVersion(t *testing.T) {
	s, l := newLibrarySite(t)
	ada := s.as("ada")
	id := s.startLab()
	old, _ := l.Lab("static-routing")
	s.as("ivan").send("x.zip", zipped(t, "static-routing", "Second", "# Anew\n")).wants(t, http.StatusSeeOther)
	ada.get("/labs/static-routing").wants(t, http.StatusOK, "Begin")
	s.as("ivan").get("/racks/"+id).wants(t, http.StatusOK, "Begin")
	s.startLab() // it runs already
	if rec, err := s.db.Rack(context.Background(), id); err != nil || rec.LabDigest != old.Digest {
		t.Errorf("the rack is of version %s, %v", rec.LabDigest, err)
	}
	// It goes on when the lab is removed, and nobody can begin it anew.
	s.as("ivan").post("/labs/static-routing/remove", nil).wants(t, http.StatusSeeOther)
	ada.get("/labs/static-routing").wants(t, http.StatusOK, "Begin")
	s.must(s.racks.Do(context.Background(), id, rack.Op{Do: "end"}))
	ada.get("/labs/static-routing").wants(t, http.StatusNotFound)
	s.as("ivan").send("x.zip", zipped(t, "static-routing", "Second", "# Anew\n")).wants(t, http.StatusSeeOther)
	ada.get("/labs/static-routing").wants(t, http.StatusOK, "Anew")
}

const hostileGuide = "# Hello <script>alert(1)</script>\n\n" +
	"<script src=//www.example.com/x.js></script>\n<img src=x onerror=alert(1)>\n<svg onload=alert(1)><style>*{display:none}</style></svg>\n" +
	"<iframe srcdoc='<script>1</script>'></iframe><form action=/logout method=post><button>x</button></form><base href=//www.example.com>\n" +
	"<meta http-equiv=refresh content='0;url=//www.example.com'><object data=x></object><a href=/ style=position:fixed>x</a>\n\n" +
	"[a](javascript:alert(1)) [b](data:text/html,<script>1</script>) ![c](javascript:alert(1)) [d](JaVaScRiPt&colon;alert(1)) <javascript:alert(1)>\n\n" +
	"```\"><script>alert(1)</script>\nx\n```\n\n" +
	"<div id=lab data-page=x class=bar>clobber</div>\n\n# <img name=cookie> {#main onclick=x}\n\n<!--><script>alert(1)</script>-->\n"

// TestHostileGuide holds that a lab from anybody is a harmless page.
func TestHostileGuide(t *testing.T) {
	s, _ := newLibrarySite(t)
	const title = `"</title><script>alert(1)</script>"`
	s.as("ivan").send("x.zip", archiveOf(t, map[string]string{
		"bad/lab.yaml": "title: '" + title + "'\nsummary: '<img src=x onerror=alert(1)>'\ndescription: '<script>1</script>'\nnodes: {pc1: {}}\n",
		"bad/guide.md": hostileGuide,
	})).wants(t, http.StatusSeeOther)
	plain := s.as("ivan").get("/labs/static-routing")
	for _, path := range []string{"/labs/bad", "/labs", "/labs/bad/versions", "/"} {
		page := s.as("ivan").get(path)
		page.wants(t, http.StatusOK)
		if got := page.header.Get("Content-Security-Policy"); got != plain.header.Get("Content-Security-Policy") || !strings.Contains(got, "script-src 'self'") {
			t.Errorf("%s: the policy is %q", path, got)
		}
		inert(t, path, page.body)
	}
}

var handlerRE = regexp.MustCompile(`^on|^(style|srcdoc|formaction|http-equiv|background)$`)

// inert checks that a page has no more than our own script, and nothing that
// acts by itself.
func inert(t *testing.T, path, page string) {
	t.Helper()
	scripts := 0
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" {
			scripts++
		}
		if slices.Contains([]string{"iframe", "object", "embed", "base", "svg", "style"}, n.Data) {
			t.Errorf("%s has <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if handlerRE.MatchString(a.Key) || strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:text") {
				t.Errorf("%s has <%s %s=%q>", path, n.Data, a.Key, a.Val)
			}
			if n.Data == "form" && a.Key == "action" && strings.HasPrefix(value, "//") {
				t.Errorf("%s has a form that leads to %s", path, a.Val)
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%s has %d scripts; our own is one", path, scripts)
	}
}
