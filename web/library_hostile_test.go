package web_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs/library"
	"github.com/patchbay/patchbay/web"
)

// entry is one of a hostile archive's.
type entry struct {
	name, body string
	link       bool
}

func tarGz(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.body))}
		if e.link {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.body, 0
		}
		err := w.WriteHeader(h)
		if err == nil && !e.link {
			_, err = io.WriteString(w, e.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipFile(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o644)
		if e.link {
			h.SetMode(0o777 | fs.ModeSymlink)
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, e.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHostileArchives sends archives through the form and to the API: each is
// refused with a sentence, and nothing is written anywhere.
func TestHostileArchives(t *testing.T) {
	var many []entry
	for i := range 10_000 {
		many = append(many, entry{name: fmt.Sprintf("a/nodes/pc1/f%d", i), body: "x"})
	}
	var bomb []entry
	for i := range 20 {
		bomb = append(bomb, entry{name: fmt.Sprintf("a/nodes/pc1/f%d", i), body: strings.Repeat("\x00", 4<<20)})
	}
	one := func(name, body string) []entry { return []entry{{name: name, body: body}} }
	for _, c := range []struct {
		about string
		more  []entry
		want  string
	}{
		{"ten thousand files", many, "at most that many"},
		{"a link out", []entry{{"a/x", "/etc/passwd", true}}, "a/x is a symbolic link"},
		{"a link up", []entry{{"a/x", "../../../etc", true}}, "a/x is a symbolic link"},
		{"through a link", []entry{{"a/x", "/tmp", true}, {name: "a/x/y", body: "1"}}, "a/x is a symbolic link"},
		{"an absolute name", one("/etc/cron.d/x", "1"), "/etc/cron.d/x has an absolute path"},
		{"zip-slip", one("a/../../../x", "1"), "a/../../../x leads out"},
		{"a backslash", one(`a\..\..\x`, "1"), "backslash"},
		{"a bomb", bomb, "when they are unpacked"},
		{"one name by case", one("a/GUIDE.md", "1"), "are one name"},
		{"one name by composition", []entry{{name: "a/\u00e9", body: "1"}, {name: "a/e\u0301", body: "2"}}, "are one name"},
		{"a file and a folder", []entry{{name: "a/x", body: "1"}, {name: "a/x/y", body: "2"}}, "both a file and a folder"},
		{"twice", one("a/guide.md", "other"), "is there twice"},
	} {
		t.Run(c.about, func(t *testing.T) { // with a server of its own, which has not been sent much yet
			dir := filepath.Join(t.TempDir(), "library")
			l, err := library.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			s := newSite(t, func(c *web.Config) { c.Library, c.Labs = l, nil })
			ivan, script := s.as("ivan"), s.script("ivan")
			all := append([]entry{{name: "a/lab.yaml", body: "title: A\nnodes: {pc1: {}}\n"}, {name: "a/guide.md", body: "# Do\n"}}, c.more...)
			before := tree(t, dir)
			for name, data := range map[string][]byte{"a.tar.gz": tarGz(t, all), "a.zip": zipFile(t, all)} {
				ivan.send(name, data).wants(t, http.StatusUnprocessableEntity, c.want)
				a := script.do(http.MethodPost, "/api/v1/labs?name="+name, "application/octet-stream", bytes.NewReader(data))
				a.wants(t, http.StatusUnprocessableEntity)
				if !strings.Contains(strings.ReplaceAll(a.body, `\\`, `\`), c.want) {
					t.Errorf("%s: the API says %s", name, a.body)
				}
			}
			if after := tree(t, dir); after != before {
				t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
			}
			ivan.get("/labs/a").wants(t, http.StatusNotFound)
		})
	}
}

// tree lists what lies in a folder, with sizes.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, d.IsDir())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
