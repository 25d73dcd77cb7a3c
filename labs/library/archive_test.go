package library_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/library"
)

// item is an entry of a test's archive.
type item struct {
	name string
	body string
	kind byte // of tar; 0 is an ordinary file
	mode int64
}

func lab(title string) string {
	return "title: " + title + "\nnodes:\n  pc1: {}\n"
}

// small is a lab in a folder.
func small(folder string) []item {
	return []item{{name: folder + "/lab.yaml", body: lab("Small")}, {name: folder + "/guide.md", body: "# Do\n"}}
}

func tarOf(t testing.TB, items []item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Typeflag: i.kind, Mode: i.mode, Size: int64(len(i.body))}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		switch i.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname, h.Size = i.body, 0
		case tar.TypeReg, tar.TypeDir:
		default:
			h.Size = 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, i.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, items []item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		mode := fs.FileMode(0o644)
		if i.mode != 0 {
			mode = fs.FileMode(i.mode)
		}
		if i.kind == tar.TypeSymlink {
			mode |= fs.ModeSymlink
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, i.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, dir string) *library.Library {
	t.Helper()
	l, err := library.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var ivan = library.By{Login: "ivan"}

// files lists what lies below a folder.
func files(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		all = append(all, strings.TrimPrefix(name, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestRefused holds that what is not in order is refused with words that name
// the entry, and that nothing is written.
func TestRefused(t *testing.T) {
	with := func(more ...item) []item { return append(small("a"), more...) }
	var tenThousand []item
	for i := range 10_000 {
		tenThousand = append(tenThousand, item{name: fmt.Sprintf("a/nodes/pc1/%d", i)})
	}
	var folders []item
	for i := range 5000 {
		folders = append(folders, item{name: fmt.Sprintf("a/%d", i), kind: tar.TypeDir, mode: 0o755})
	}
	zeros := strings.Repeat("\x00", 4<<20)
	var bomb []item
	for i := range 13 {
		bomb = append(bomb, item{name: fmt.Sprintf("a/nodes/pc1/%d", i), body: zeros})
	}
	whole := tarOf(t, with())
	for _, c := range []struct {
		about string
		data  []byte
		want  []string // in the sentences
	}{
		{"nothing", nil, []string{"no archive"}},
		{"text", []byte("title: x\n"), []string{"no archive"}},
		{"7z", []byte("7z\xbc\xaf\x27\x1c" + zeros[:600]), []string{"no archive"}},
		{"gzip of text", gz(t, []byte("hello")), []string{"damaged"}},
		{"gzip cut off", gz(t, tarOf(t, with()))[:80], []string{"damaged"}},
		{"tar cut off", whole[:520], []string{"damaged"}},
		{"zip cut off", zipOf(t, with())[:60], []string{"damaged"}},
		{"no lab", tarOf(t, []item{{name: "a/readme", body: "x"}}), []string{"There is no lab in the archive"}},
		{"two labs", tarOf(t, append(small("a"), small("b")...)), []string{"several labs (a, b)"}},
		{"ten thousand files", tarOf(t, with(tenThousand...)), []string{"at most that many"}},
		{"ten thousand files, zip", zipOf(t, with(tenThousand...)), []string{"at most that many"}},
		{"thousands of folders", tarOf(t, with(folders...)), []string{"more than 4000 entries"}},
		{"bomb", gz(t, tarOf(t, with(bomb...))), []string{"when they are unpacked"}},
		{"bomb, zip", zipOf(t, with(bomb...)), []string{"when they are unpacked"}},
		{"endless gzip", endless(t), []string{"unpacks to more than"}},
		{"a large file", gz(t, tarOf(t, with(item{name: "a/nodes/pc1/big", body: zeros + "x"}))), []string{"a/nodes/pc1/big is larger than 4 MiB"}},
		{"a large file, zip", zipOf(t, with(item{name: "a/big", body: zeros + "x"})), []string{"a/big is larger than 4 MiB"}},
		{"symbolic link", tarOf(t, with(item{name: "a/x", body: "/etc/passwd", kind: tar.TypeSymlink})), []string{"a/x is a symbolic link", "--dereference"}},
		{"symbolic link, zip", zipOf(t, with(item{name: "a/x", body: "../../etc", kind: tar.TypeSymlink})), []string{"a/x is a symbolic link"}},
		{"through a link", tarOf(t, with(item{name: "a/x", body: "/etc", kind: tar.TypeSymlink}, item{name: "a/x/passwd", body: "x"})), []string{"a/x is a symbolic link"}},
		{"hard link", tarOf(t, with(item{name: "a/x", body: "a/lab.yaml", kind: tar.TypeLink})), []string{"a/x is a hard link"}},
		{"device", tarOf(t, with(item{name: "a/null", kind: tar.TypeChar})), []string{"a/null is neither a file nor a folder"}},
		{"pipe", tarOf(t, with(item{name: "a/p", kind: tar.TypeFifo})), []string{"a/p is neither a file nor a folder"}},
		{"setuid", tarOf(t, with(item{name: "a/su", body: "x", mode: 0o4755})), []string{"a/su has the setuid"}},
		{"setuid, zip", zipOf(t, with(item{name: "a/su", body: "x", mode: int64(fs.ModeSetuid | 0o755)})), []string{"a/su has the setuid"}},
		{"absolute", tarOf(t, with(item{name: "/etc/x", body: "x"})), []string{"/etc/x has an absolute path"}},
		{"drive", zipOf(t, with(item{name: "C:/x", body: "x"})), []string{"C:/x has an absolute path"}},
		{"up", tarOf(t, with(item{name: "a/../../x", body: "x"})), []string{"a/../../x leads out"}},
		{"up, zip", zipOf(t, with(item{name: "../x", body: "x"})), []string{"../x leads out"}},
		{"backslash", zipOf(t, with(item{name: `a\..\x`, body: "x"})), []string{"backslash"}},
		{"dot in the middle", tarOf(t, with(item{name: "a/./x", body: "x"})), []string{"a/./x has an odd path: write it as a/x"}},
		{"doubled slash", tarOf(t, with(item{name: "a//x", body: "x"})), []string{"odd path"}},
		{"escape", tarOf(t, with(item{name: "a/\x1b[2Jx", body: "x"})), []string{`"a/\x1b[2Jx" has a name with characters that cannot be printed`}},
		{"right to left", tarOf(t, with(item{name: "a/\u202egnp.x", body: "x"})), []string{"cannot be printed"}},
		{"not UTF-8", tarOf(t, with(item{name: "a/\xff", body: "x"})), []string{"cannot be printed"}},
		{"long path", tarOf(t, with(item{name: "a/" + strings.Repeat("x/", 10) + strings.Repeat("y", 250), body: "x"})), []string{"at most 255 are possible"}},
		{"deep", tarOf(t, with(item{name: "a/" + strings.Repeat("x/", 30) + "y", body: "x"})), []string{"more than 20 folders deep"}},
		{"twice", tarOf(t, with(item{name: "a/guide.md", body: "other"})), []string{"a/guide.md is there twice"}},
		{"twice, one with ./", tarOf(t, with(item{name: "./a/guide.md", body: "other"})), []string{"a/guide.md is there twice"}},
		{"letters", tarOf(t, with(item{name: "a/Guide.md", body: "other"})), []string{"a/Guide.md and a/guide.md are one name"}},
		{"letters of a folder", zipOf(t, with(item{name: "A/x", body: "other"})), []string{"A and a are one name"}},
		{"composed letters", tarOf(t, with(item{name: "a/\u00e9", body: "1"}, item{name: "a/e\u0301", body: "2"})), []string{"are one name"}},
		{"sharp s", tarOf(t, with(item{name: "a/stra\u00dfe", body: "1"}, item{name: "a/STRASSE", body: "2"})), []string{"are one name"}},
		{"ligature", tarOf(t, with(item{name: "a/\ufb01le", body: "1"}, item{name: "a/file", body: "2"})), []string{"are one name"}},
		{"file and folder", tarOf(t, with(item{name: "a/x", body: "1"}, item{name: "a/x/y", body: "2"})), []string{"a/x is both a file and a folder"}},
		{"folder and file", tarOf(t, with(item{name: "a/x/y", body: "1"}, item{name: "a/x", body: "2"})), []string{"a/x is both a file and a folder"}},
		{"several at once", tarOf(t, with(item{name: "a/su", mode: 0o4755}, item{name: "../x"})), []string{"a/su has", "../x leads"}},
		{"a nested archive", tarOf(t, []item{{name: "lab.zip", body: string(zipOf(t, small("a")))}}), []string{"There is no lab in the archive"}},
		{"nowhere to extend", tarOf(t, []item{{name: "a/lab.yaml", body: "title: A\nextends: ../nothing\n"}, {name: "a/guide.md", body: "x"}}), []string{"there is no lab in nothing"}},
		{"a broken lab", tarOf(t, []item{{name: "a/lab.yaml", body: "title: A\nnodez: {}\n"}, {name: "a/guide.md", body: "x"}}), []string{"a/lab.yaml:2:1", "nodes"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir)
			before := files(t, dir)
			_, err := l.Add(context.Background(), "up.tar.gz", bytes.NewReader(c.data), ivan)
			if err == nil {
				t.Fatal("it was taken")
			}
			_, refused := errors.AsType[*library.Refused](err)
			_, problems := errors.AsType[labs.Problems](err)
			if !refused && !problems {
				t.Fatalf("the error is ours: %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the refusal lacks %q:\n%v", w, err)
				}
			}
			for _, r := range err.Error() {
				if r != '\n' && r < ' ' {
					t.Errorf("the refusal holds %q", r)
				}
			}
			if after := files(t, dir); after != before {
				t.Errorf("something was written:\n%s", after)
			}
		})
	}
}

// endless is a small stream that unpacks to far more than is read of it.
func endless(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	const size = 80 << 20
	if err := w.WriteHeader(&tar.Header{Name: ".git/huge", Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for range size / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTaken holds the forms that people's archives have.
func TestTaken(t *testing.T) {
	for _, c := range []struct {
		about, name string
		data        []byte
		slug        string
	}{
		{"tar", "x.tar", tarOf(t, small("my-lab")), "my-lab"},
		{"tar.gz", "x.tar.gz", gz(t, tarOf(t, small("my-lab"))), "my-lab"},
		{"zip", "x.zip", zipOf(t, small("my-lab")), "my-lab"},
		{"with ./", "x.tar", tarOf(t, append([]item{{name: "./", kind: tar.TypeDir, mode: 0o2755}, {name: "./my-lab/", kind: tar.TypeDir, mode: 0o755}}, small("./my-lab")...)), "my-lab"},
		{"at the root", "My Lab (2).tar.gz", gz(t, tarOf(t, []item{{name: "lab.yaml", body: lab("Root")}, {name: "guide.md", body: "# Do"}})), "my-lab-2"},
		{"wrapped", "main.zip", zipOf(t, small("repo-main/labs/my-lab")), "my-lab"},
		{"litter", "x.zip", zipOf(t, append(small("my-lab"), item{name: "__MACOSX/my-lab/._lab.yaml", body: "x"}, item{name: "my-lab/.DS_Store", body: "x"}, item{name: "my-lab/.git/HEAD", body: "x"})), "my-lab"},
		{"with what it extends", "x.tar", tarOf(t, append(small("base"),
			item{name: "my-lab/lab.yaml", body: "title: More\nextends: ../base\n"}, item{name: "my-lab/guide.md", body: "x"})), "my-lab"},
		{"a lab.yaml for a node", "x.tar", tarOf(t, append(small("my-lab"), item{name: "my-lab/nodes/pc1/root/lab.yaml", body: "x"})), "my-lab"},
	} {
		t.Run(c.about, func(t *testing.T) {
			l := open(t, t.TempDir())
			got, err := l.Add(context.Background(), c.name, bytes.NewReader(c.data), ivan)
			if err != nil {
				t.Fatal(err)
			}
			if got.Slug != c.slug || len(got.Topology.Nodes) != 1 {
				t.Errorf("got lab %s with %d nodes", got.Slug, len(got.Topology.Nodes))
			}
			if len(l.Labs()) != 1 {
				t.Errorf("the library has %d labs", len(l.Labs()))
			}
			// What it gives back is an archive that it takes.
			data, err := l.Archive(got.Slug, got.Digest)
			if err != nil {
				t.Fatal(err)
			}
			again, err := open(t, t.TempDir()).Add(context.Background(), c.slug+".zip", bytes.NewReader(data), ivan)
			if err != nil || again.Digest != got.Digest {
				t.Errorf("sent again it is %v, %v; was %v", again, err, got.Digest)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	l := open(t, t.TempDir())
	_, err := l.Add(context.Background(), "x.tar", io.LimitReader(zero{}, library.MaxArchive+1), ivan)
	if err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") {
		t.Error(err)
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { return len(p), nil }

func FuzzAdd(f *testing.F) {
	f.Add(tarOf(f, small("a")))
	f.Add(gz(f, tarOf(f, small("a"))))
	f.Add(zipOf(f, small("a")))
	f.Add(tarOf(f, append(small("a"), item{name: "a/x", body: "/etc", kind: tar.TypeSymlink})))
	dir := f.TempDir()
	l := open(f, dir)
	f.Fuzz(func(t *testing.T, data []byte) {
		lab, err := l.Add(context.Background(), "fuzz.tar", bytes.NewReader(data), ivan)
		if err == nil {
			if _, err := l.Version(lab.Slug, lab.Digest); err != nil {
				t.Error(err)
			}
			return
		}
		_, refused := errors.AsType[*library.Refused](err)
		_, problems := errors.AsType[labs.Problems](err)
		if !refused && !problems {
			t.Errorf("the error is ours: %v", err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "x")); err == nil {
			t.Error("it reached out of its folder")
		}
	})
}
