package library_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/catalog"
	"github.com/patchbay/patchbay/labs/library"
)

func add(t testing.TB, l *library.Library, items []item) *labs.Lab {
	t.Helper()
	lab, err := l.Add(context.Background(), "x.tar", bytes.NewReader(tarOf(t, items)), ivan)
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

func titled(folder, title string) []item {
	return []item{{name: folder + "/lab.yaml", body: lab(title)}, {name: folder + "/guide.md", body: "# Do\n"}}
}

func slugs(l *library.Library) string {
	var all []string
	for _, lab := range l.Labs() {
		all = append(all, lab.Slug)
	}
	return strings.Join(all, " ")
}

func include(t testing.TB, l *library.Library, fsys fs.FS, slugs ...string) {
	t.Helper()
	if err := l.Include(fsys, slugs); err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	dir := t.TempDir()
	l, other := open(t, dir), open(t, dir) // another server's process
	first := add(t, l, titled("a", "First"))
	if got, ok := other.Lab("a"); !ok || got.Title != "First" {
		t.Fatalf("the other server has %v", got)
	}
	second := add(t, other, titled("a", "Second"))
	if got, ok := l.Lab("a"); !ok || got.Title != "Second" || got.Digest != second.Digest {
		t.Errorf("the newest is %v", got)
	}
	if got, err := l.Version("a", first.Digest); err != nil || got.Title != "First" {
		t.Errorf("the first version is %v, %v", got, err)
	}
	info, err := l.Info("a")
	if err != nil || len(info.Versions) != 2 || info.Versions[0].Title != "Second" || info.By != "ivan" || info.Source != library.Upload {
		t.Errorf("got %+v, %v", info, err)
	}
	add(t, l, titled("a", "First")) // back to it: no third version
	if info, _ := other.Info("a"); len(info.Versions) != 2 || info.Versions[0].Title != "First" {
		t.Errorf("got %+v", info)
	}

	if err := other.Remove("a", ivan); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Lab("a"); ok || slugs(l) != "" {
		t.Error("a removed lab is found")
	}
	if _, err := l.Version("a", second.Digest); err != nil {
		t.Errorf("a version of a removed lab is gone: %v", err)
	}
	if err := l.Remove("a", ivan); labs.CodeOf(err) != labs.NotFound {
		t.Errorf("removing twice: %v", err)
	}
	if got, err := open(t, dir).Version("a", second.Digest); err != nil || got.Title != "Second" || got.Digest != second.Digest {
		t.Errorf("after a restart: %v, %v", got, err)
	}
	for _, v := range [][2]string{{"a", strings.Repeat("0", 64)}, {"a", "../x"}, {"../a", first.Digest}, {"b", first.Digest}} {
		if _, err := l.Version(v[0], v[1]); labs.CodeOf(err) != labs.NotFound {
			t.Errorf("version %q: %v", v, err)
		}
	}
}

func TestWhoMay(t *testing.T) {
	l := open(t, t.TempDir())
	include(t, l, catalog.FS(), "two-hosts")
	add(t, l, titled("a", "Ivan's"))
	ctx := context.Background()
	for _, c := range []struct {
		folder string
		by     library.By
		want   string
	}{
		{"a", library.By{Login: "iris"}, "There is a lab a already, of ivan"},
		{"a", library.By{Login: "root", Admin: true}, ""},
		{"two-hosts", library.By{Login: "root", Admin: true}, "two-hosts is a lab that comes with Patchbay"},
	} {
		_, err := l.Add(ctx, "x.tar", bytes.NewReader(tarOf(t, titled(c.folder, "Other"))), c.by)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %s: %v", c.folder, c.by.Login, err)
		}
	}
	if err := l.Remove("a", library.By{Login: "iris"}); labs.CodeOf(err) != labs.Forbidden {
		t.Errorf("iris removes root's: %v", err)
	}
	if err := l.Remove("two-hosts", library.By{Login: "root", Admin: true}); labs.CodeOf(err) != labs.Conflict {
		t.Errorf("root removes a built-in one: %v", err)
	}
}

// TestExtendsLibrary holds that a lab may build on one that is there, and
// brings it along when it is packed.
func TestExtendsLibrary(t *testing.T) {
	l := open(t, t.TempDir())
	include(t, l, catalog.FS(), "two-hosts")
	base := add(t, l, []item{{name: "mid/lab.yaml", body: "title: Mid\nextends: ../two-hosts\nnodes:\n  pc3: {}\n"}, {name: "mid/guide.md", body: "x"}})
	top := add(t, l, []item{{name: "top/lab.yaml", body: "title: Top\nextends: ../mid\nnodes:\n  pc4: {}\n"}, {name: "top/guide.md", body: "x"}})
	if len(base.Topology.Nodes) != 3 || len(top.Topology.Nodes) != 4 {
		t.Fatalf("%d and %d nodes", len(base.Topology.Nodes), len(top.Topology.Nodes))
	}
	// A new version of what it extends changes nothing of it.
	add(t, l, []item{{name: "mid/lab.yaml", body: "title: Mid\nnodes:\n  pc1: {}\n"}, {name: "mid/guide.md", body: "x"}})
	if got, err := l.Version("top", top.Digest); err != nil || len(got.Topology.Nodes) != 4 {
		t.Errorf("got %v, %v", got, err)
	}
	data, err := l.Archive("top", top.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, t.TempDir()).Add(context.Background(), "top.zip", bytes.NewReader(data), ivan); err != nil || got.Digest != top.Digest {
		t.Errorf("sent elsewhere: %v, %v", got, err)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	add(t, l, titled("a", "A"))
	include(t, l, catalog.FS(), "vlans", "two-hosts")
	if got := slugs(l); got != "vlans two-hosts a" {
		t.Errorf("labs: %s", got)
	}
	all, err := catalog.Labs()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range all {
		if got, ok := l.Lab(want.Slug); ok && got.Digest != want.Digest {
			t.Errorf("%s has another digest than its folder", want.Slug)
		}
	}
	before := files(t, dir)
	later := open(t, dir) // a newer Patchbay without vlans, with a changed two-hosts
	changed := os.DirFS(write(t, t.TempDir(), titled("two-hosts", "Changed")))
	old, _ := l.Lab("two-hosts")
	include(t, later, changed, "two-hosts")
	if got := slugs(later); got != "two-hosts a" {
		t.Errorf("labs: %s", got)
	}
	if got, _ := later.Lab("two-hosts"); got.Title != "Changed" {
		t.Errorf("got %v", got)
	}
	if _, err := later.Version("two-hosts", old.Digest); err != nil {
		t.Errorf("the old version: %v", err)
	}
	if after := files(t, dir); !strings.Contains(after, before[:20]) {
		t.Errorf("something is gone:\n%s", after)
	}
}

// write writes items as files.
func write(t testing.TB, dir string, items []item) string {
	t.Helper()
	for _, i := range items {
		name := filepath.Join(dir, i.name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(i.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFolder(t *testing.T) {
	l := open(t, t.TempDir())
	include(t, l, catalog.FS(), "two-hosts")
	add(t, l, titled("sent", "Sent"))
	dir := t.TempDir()
	write(t, dir, titled("week1/a", "A"))
	write(t, dir, []item{{name: "week1/b/lab.yaml", body: "title: B\nextends: ../a\n"}, {name: "week1/b/guide.md", body: "x"}, {name: ".git/a/lab.yaml", body: "x"}, {name: "README", body: "x"}})
	write(t, dir, titled("two-hosts", "Ours"))
	write(t, dir, titled("sent", "Not sent"))
	read := func(wantLabs string, wantTroubles ...string) {
		t.Helper()
		l.ReadFolder(dir)
		if got := slugs(l); got != wantLabs {
			t.Errorf("labs: %s; want %s", got, wantLabs)
		}
		var got []string
		for _, tr := range l.Troubles() {
			got = append(got, tr.Slug+": "+tr.Problems.Error())
		}
		if !slices.EqualFunc(got, wantTroubles, strings.Contains) {
			t.Errorf("troubles: %q; want %q", got, wantTroubles)
		}
	}
	title := func(slug, want string) {
		t.Helper()
		if got, ok := l.Lab(slug); !ok || got.Title != want {
			t.Errorf("%s is not there or not %q", slug, want)
		}
	}
	const clash = "was sent by ivan"
	read("two-hosts a b sent", clash)
	title("two-hosts", "Ours")
	title("sent", "Sent")

	write(t, dir, []item{{name: "week1/a/lab.yaml", body: "title: A\nnodez: {}\n"}})
	read("two-hosts a b sent", "week1/a/lab.yaml:2:1", "week1/a/lab.yaml:2:1", clash) // b extends it
	title("a", "A")

	write(t, dir, titled("week1/a", "Better"))
	write(t, dir, titled("week2/a", "Another"))
	read("two-hosts a b sent", "there is a lab of this name in week1/a", clash)
	title("a", "Better")

	for _, gone := range []string{"week2", "two-hosts", "sent", "week1/b"} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	read("two-hosts a sent")
	title("two-hosts", "Two hosts, one switch") // the built-in one is back

	if _, err := l.Add(context.Background(), "x.tar", bytes.NewReader(tarOf(t, titled("a", "Mine"))), ivan); err == nil || !strings.Contains(err.Error(), "server's own folder") {
		t.Errorf("sending what the folder has: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	read("two-hosts a sent", "mend the folder")
	if err := l.NoFolder(); err != nil {
		t.Fatal(err)
	}
	if got := slugs(l); got != "two-hosts sent" {
		t.Errorf("labs without the folder: %s", got)
	}
}

func TestWatch(t *testing.T) {
	l := open(t, t.TempDir())
	dir := write(t, t.TempDir(), titled("a", "A"))
	ctx, cancel := context.WithCancel(context.Background())
	again := make(chan os.Signal, 1)
	changed := make(chan struct{}, 10)
	var wg sync.WaitGroup
	wg.Go(func() { l.Watch(ctx, dir, again, func() { changed <- struct{}{} }) })
	defer wg.Wait()
	defer cancel()
	<-changed
	write(t, dir, titled("a", "Changed"))
	again <- os.Interrupt
	for {
		<-changed // once for the signal, perhaps once more for a poll
		if got, ok := l.Lab("a"); ok && got.Title == "Changed" {
			return
		}
	}
}

func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	all := []*library.Library{open(t, dir), open(t, dir), open(t, dir)}
	const each = 8
	var wg sync.WaitGroup
	for i, l := range all {
		for n := range each {
			wg.Go(func() {
				if _, err := l.Add(context.Background(), "x.tar", bytes.NewReader(tarOf(t, titled(fmt.Sprintf("l%d-%d", i, n), "T"))), ivan); err != nil {
					t.Error(err)
				}
				if _, err := l.Add(context.Background(), "x.tar", bytes.NewReader(tarOf(t, titled("same", "T"))), ivan); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { _ = l.Labs() })
		}
	}
	wg.Wait()
	for _, l := range append(all, open(t, dir)) {
		if got := len(l.Labs()); got != len(all)*each+1 {
			t.Errorf("%d labs", got)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*/*/.new-*")); left != nil {
		t.Errorf("left over: %v", left)
	}
}
