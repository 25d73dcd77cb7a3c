package handin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

func all(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func TestGrading(t *testing.T) {
	tests := map[string]struct {
		live, fresh []string
		flaky       string // fails the first time on the fresh boot
		score       float64
	}{
		"everything":                    {[]string{"a", "b", "live"}, []string{"a", "b"}, "", 6},
		"nothing":                       {nil, nil, "", 0},
		"does not survive":              {[]string{"a", "b", "live"}, []string{"a"}, "", 4},
		"only after a boot":             {[]string{"a"}, []string{"a", "b"}, "", 1},
		"on the running lab alone":      {[]string{"live"}, nil, "", 3},
		"a network that was slow once":  {[]string{"a", "b"}, []string{"a", "b"}, "b", 3},
		"slow, and not there live":      {[]string{"a"}, []string{"a", "b"}, "b", 1},
		"what is never asked after one": {[]string{"a", "b"}, []string{"a", "b", "live"}, "", 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClass(t, check("a", 1, false), check("b", 2, false), check("live", 3, true))
			c.racks.passes[c.rack.ID], c.racks.passes["fresh"] = all(tt.live...), all(tt.fresh...)
			if tt.flaky != "" {
				c.racks.flaky[tt.flaky] = 1
			}
			s := c.until(c.handIn().ID, labs.Graded)
			if s.Score != tt.score || s.Worth != 6 || s.LabDigest != "v1" {
				t.Errorf("graded %v of %v by %q, want %v of 6", s.Score, s.Worth, s.LabDigest, tt.score)
			}
			c.end() // waits until the rack that graded is gone
			if ids, _ := c.racks.IDs(context.Background(), "grading-"); len(ids) > 0 {
				t.Errorf("racks that graded are left: %v", ids)
			}
			if c.racks.frozen[c.rack.ID] {
				t.Error("the student's rack is still frozen")
			}
			counts, err := c.db.CountingReport(context.Background(), s.ID)
			if err != nil || counts == nil || counts.Boot != grade.Counts {
				t.Errorf("the report that counts: %+v, %v", counts, err)
			}
			if data, err := os.ReadFile(filepath.Join(c.dir, s.Folder, "disks", "pc1.ext4")); err != nil || string(data) != "work" {
				t.Errorf("the disks that were handed in: %q, %v", data, err)
			}
		})
	}
}

func TestHandInFails(t *testing.T) {
	disk := errors.New("no room")
	for _, what := range []string{"freeze", "check", "snapshot"} {
		t.Run(what, func(t *testing.T) {
			c := newClass(t, check("a", 1, false))
			c.racks.fail[what] = disk
			s := c.handIn()
			for range 1000 {
				if _, err := c.db.Submission(context.Background(), s.ID); labs.CodeOf(err) == labs.NotFound {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			c.end()
			p, ok := c.desk.Progress(s.ID)
			if !ok || !strings.Contains(p.Failed, "no attempt") {
				t.Errorf("progress says %+v", p)
			}
			if c.racks.frozen[c.rack.ID] || c.racks.did("thaw") == 0 {
				t.Error("the rack stays frozen")
			}
			if left, _ := os.ReadDir(c.dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			delete(c.racks.fail, what)
			c.start()
			if again := c.until(c.handIn().ID, labs.Graded); again.Attempt != 1 {
				t.Errorf("what was not taken cost an attempt: the next is %d", again.Attempt)
			}
		})
	}
}

func TestHandInStopped(t *testing.T) {
	c := newClass(t, check("a", 1, false))
	if err := c.racks.Remove(context.Background(), c.rack.ID); err != nil {
		t.Fatal(err)
	}
	_, err := c.desk.HandIn(context.Background(), &c.assignment, c.rack, c.student.ID)
	if labs.CodeOf(err) != labs.Conflict {
		t.Errorf("a rack that does not run was taken: %v", err)
	}
	c.end()
	c.racks.specs[c.rack.ID] = c.racks.specs["x"]
	if _, err := c.desk.HandIn(context.Background(), &c.assignment, c.rack, c.student.ID); labs.CodeOf(err) != labs.Conflict {
		t.Errorf("a desk that is closed took work: %v", err)
	}
}

// TestServerEnds ends the server while it takes, and while it grades.
func TestServerEnds(t *testing.T) {
	t.Run("taking", func(t *testing.T) {
		c := newClass(t, check("a", 1, false))
		c.racks.block = make(chan struct{})
		s := c.handIn()
		for c.racks.did("check") == 0 {
			time.Sleep(time.Millisecond)
		}
		c.end()
		if _, err := c.db.Submission(context.Background(), s.ID); labs.CodeOf(err) != labs.NotFound {
			t.Errorf("a submission without disks stays: %v", err)
		}
		if c.racks.frozen[c.rack.ID] {
			t.Error("the rack stays frozen")
		}
	})
	t.Run("grading", func(t *testing.T) {
		c := newClass(t, check("a", 1, false))
		c.racks.passes[c.rack.ID], c.racks.passes["fresh"] = all("a"), all("a")
		c.racks.fail["start"] = nil
		gate := make(chan struct{}, 1)
		gate <- struct{}{} // lets the live check through
		c.racks.block = gate
		s := c.handIn()
		c.until(s.ID, labs.Grading)
		for c.racks.did("check") < 2 {
			time.Sleep(time.Millisecond)
		}
		c.end()
		got, err := c.db.Submission(context.Background(), s.ID)
		if err != nil || got.State != labs.Queued || got.Tries != 0 {
			t.Fatalf("the submission is %s after %d tries, %v", got.State, got.Tries, err)
		}
		close(gate)
		c.start()
		if got := c.until(s.ID, labs.Graded); got.Score != 1 {
			t.Errorf("graded %v", got.Score)
		}
	})
}

// TestServerKilled has a server find what one that was killed left behind.
func TestServerKilled(t *testing.T) {
	c := newClass(t, check("a", 1, false))
	c.end()
	ctx := context.Background()
	s, err := c.db.BeginSubmission(ctx, c.assignment.ID, c.student.ID, "v1")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(c.dir, s.Folder)
	spec := c.racks.specs[c.rack.ID]
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "disks.part-1"), 0o700), writeSpec(dir, &spec)); err != nil {
		t.Fatal(err)
	}
	c.racks.frozen[c.rack.ID] = true
	c.racks.specs["grading-left"] = spec
	c.start()
	if c.racks.frozen[c.rack.ID] {
		t.Error("the rack stays frozen")
	}
	if left, _ := os.ReadDir(c.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if ids, _ := c.racks.IDs(ctx, "grading-"); len(ids) > 0 {
		t.Errorf("left behind: %v", ids)
	}
	if p, ok := c.desk.Progress(s.ID); !ok || !strings.Contains(p.Failed, "no attempt") || p.By != c.student.ID || p.Assignment != c.assignment.ID {
		t.Errorf("of what was not taken is said: %+v, %v", p, ok)
	}
	c.until(c.handIn().ID, labs.Graded)
}

// TestKeep deletes the disks of attempts that a later one superseded and no
// grade is made of, and grades them again without harm.
func TestKeep(t *testing.T) {
	c := newClass(t, check("a", 1, false), check("b", 1, false))
	c.racks.passes["fresh"] = all("a", "b")
	var handed []labs.Submission
	for _, passes := range [][]string{{"a"}, {"a", "b"}, nil, {"a"}} { // the second counts, the last is the newest
		c.racks.passes[c.rack.ID] = all(passes...)
		handed = append(handed, c.until(c.handIn().ID, labs.Graded))
	}
	c.end()
	there := func() (have []bool) {
		for _, s := range handed {
			_, err := os.Stat(filepath.Join(c.dir, s.Folder))
			have = append(have, err == nil)
		}
		return have
	}
	c.keep = time.Hour
	c.start()
	c.end()
	if got := there(); !slices.Equal(got, []bool{true, true, true, true}) {
		t.Errorf("before their time there are %v", got)
	}
	c.keep = time.Nanosecond
	c.start()
	for range 1000 {
		if got := there(); !got[0] && !got[2] {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := there(); !slices.Equal(got, []bool{false, true, false, true}) {
		t.Errorf("after their time there are %v", got)
	}
	ctx := context.Background()
	if err := c.desk.Reopen(ctx, &handed[0], "again", "teacher"); labs.CodeOf(err) != labs.Conflict {
		t.Errorf("opening what was deleted: %v", err)
	}
	c.publish("v2", check("a", 3, false))
	if n, err := c.db.Regrade(ctx, c.assignment.ID); n != 4 || err != nil {
		t.Fatalf("regrading %d, %v", n, err)
	}
	c.desk.Poke()
	for i, want := range []struct {
		score, worth float64
	}{{1, 2}, {3, 3}, {0, 2}, {3, 3}} {
		if s := c.until(handed[i].ID, labs.Graded); s.Score != want.score || s.Worth != want.worth {
			t.Errorf("attempt %d has %v of %v, want %v", i+1, s.Score, s.Worth, want)
		}
	}
	if live, _, err := c.db.Reports(ctx, handed[0].ID); err != nil || live == nil {
		t.Errorf("the report is gone: %v", err)
	}
}

// TestRegrade grades old work by a newer version of its lab.
func TestRegrade(t *testing.T) {
	c := newClass(t, check("same", 1, false), check("live", 1, true), check("changed", 1, false), check("gone", 1, false))
	c.racks.passes[c.rack.ID] = all("same", "live", "gone")
	c.racks.passes["fresh"] = all("same", "changed", "gone", "new")
	s := c.until(c.handIn().ID, labs.Graded)
	if s.Score != 3 || s.Worth != 4 {
		t.Fatalf("first graded %v of %v, want 3 of 4", s.Score, s.Worth)
	}
	changed := check("changed", 5, false)
	changed.Sysctl = &grade.Sysctl{Node: "pc1", Key: "net.ipv4.ip_forward", Value: []string{"0"}}
	c.publish("v2", check("same", 10, false), check("live", 1, true), changed, check("new", 2, false), check("newlive", 4, true))
	ctx := context.Background()
	if n, err := c.db.Regrade(ctx, c.assignment.ID); n != 1 || err != nil {
		t.Fatalf("regrading %d, %v", n, err)
	}
	c.desk.Poke()
	s = c.until(s.ID, labs.Graded)
	// 18 of 18 that can be judged; newlive cannot, and costs nothing.
	if s.Score != 22 || s.Worth != 22 || s.LabDigest != "v2" {
		t.Errorf("regraded %v of %v by %s, want 22 of 22 by v2", s.Score, s.Worth, s.LabDigest)
	}
	r, err := c.db.CountingReport(ctx, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range r.Results {
		got = append(got, x.Check+" "+string(x.Outcome))
	}
	if want := []string{"same pass", "live pass", "changed pass", "new pass", "newlive error"}; !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	if live, _, err := c.db.Reports(ctx, s.ID); err != nil || live.Digest != "v1" {
		t.Errorf("the report of the running lab was lost: %+v, %v", live, err)
	}
}

func TestReopen(t *testing.T) {
	c := newClass(t, check("a", 1, false))
	s := c.until(c.handIn().ID, labs.Graded)
	ctx := context.Background()
	if err := c.desk.Reopen(ctx, &s, "again", "teacher"); err != nil {
		t.Fatal(err)
	}
	spec := c.racks.specs["again"]
	if spec.Owner != "teacher" || spec.Disks != filepath.Join(c.dir, s.Folder, "disks") || spec.Background {
		t.Errorf("opened as %+v", spec)
	}
	if err := c.desk.Discard(&s); err != nil {
		t.Fatal(err)
	}
	if err := c.desk.Reopen(ctx, &s, "again2", "teacher"); err == nil {
		t.Error("what was discarded was opened")
	}
}
