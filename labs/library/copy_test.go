package library_test

import (
	"context"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/library"
)

func TestCopy(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l := open(t, dir)
	from := add(t, l, titled("a", "First"))
	base := add(t, l, titled("base", "Base"))
	more := add(t, l, []item{{name: "more/lab.yaml", body: "title: More\nextends: ../base\nnodes:\n  extra: {}\n"}, {name: "more/guide.md", body: "# More\n"}})
	add(t, l, titled("gone", "Gone"))
	if err := l.Remove("gone", ivan); err != nil {
		t.Fatal(err)
	}
	iris := library.By{Login: "iris"}
	for _, c := range []struct {
		from, name string
		want       labs.Code
		says       string
	}{
		{"a", "", labs.Invalid, "is no name for a lab"},
		{"a", "../a", labs.Invalid, "is no name for a lab"},
		{"a", "A", labs.Invalid, "is no name for a lab"},
		{"a", strings.Repeat("a", 64), labs.Invalid, "at most 63"},
		{"a", "a", labs.Conflict, "There is a lab a already"},
		{"a", "base", labs.Conflict, "There is a lab base already"},
		{"a", "gone", labs.Conflict, "There was a lab gone"},
		{"gone", "new", labs.NotFound, "no such lab"},
		{"nothing", "new", labs.NotFound, "no such lab"},
	} {
		_, err := l.Copy(ctx, c.from, c.name, iris)
		if labs.CodeOf(err) != c.want || !strings.Contains(labs.MessageOf(err), c.says) {
			t.Errorf("copying %s as %q: %v; want %s, %q", c.from, c.name, err, c.want, c.says)
		}
	}

	mine, err := l.Copy(ctx, "a", "mine", iris)
	if err != nil {
		t.Fatal(err)
	}
	if mine.Slug != "mine" || mine.Title != "First" || mine.Guide != from.Guide {
		t.Errorf("the copy is %+v", mine)
	}
	// It stays a copy of that version, whoever changes what.
	add(t, l, titled("a", "Second"))
	send := func(by library.By) error {
		_, err := l.Add(ctx, "x.tar", strings.NewReader(string(tarOf(t, titled("mine", "Changed")))), by)
		return err
	}
	if err := send(ivan); err == nil {
		t.Error("somebody else sends a version of the copy")
	}
	if err := send(iris); err != nil {
		t.Error(err)
	}
	info, err := open(t, dir).Info("mine")
	if err != nil || info.By != "iris" || info.Origin == nil || *info.Origin != (library.Origin{Slug: "a", Digest: from.Digest}) || len(info.Versions) != 2 {
		t.Errorf("got %+v, %v", info, err)
	}
	if !info.Mine(iris) || info.Mine(ivan) || !info.Mine(library.By{Login: "root", Admin: true}) {
		t.Error("the copy belongs to somebody else")
	}

	// What it extends comes along as it was.
	full, err := l.Copy(ctx, "more", "full", iris)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, titled("base", "Base, changed"))
	if err := l.Remove("base", ivan); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, dir).Version("full", full.Digest)
	if err != nil || len(again.Topology.Nodes) != len(more.Topology.Nodes) || len(again.Topology.Nodes) != len(base.Topology.Nodes)+1 {
		t.Errorf("the copy of what extends another: %v, %v", again, err)
	}
}
