package handin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// racks stands in for racks: what checks find in them is what a test says.
type racks struct {
	mu     sync.Mutex
	specs  map[string]rack.Spec       // of all racks that are there
	frozen map[string]bool            // by rack
	passes map[string]map[string]bool // by rack, or "fresh": which checks pass
	flaky  map[string]int             // by check: how often it fails in a fresh rack at first
	log    []string
	fail   map[string]error // by what is done
	block  chan struct{}    // checks wait for it, unless nil
}

func newRacks() *racks {
	return &racks{specs: map[string]rack.Spec{}, frozen: map[string]bool{}, passes: map[string]map[string]bool{},
		flaky: map[string]int{}, fail: map[string]error{}}
}

func (r *racks) do(what, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, what+" "+id)
	return r.fail[what]
}

func (r *racks) Start(_ context.Context, s rack.Spec) error {
	if err := r.do("start", s.ID); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.specs[s.ID] = s
	return nil
}

func (r *racks) Runs(_ context.Context, id string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.specs[id]
	return ok, nil
}

func (r *racks) IDs(_ context.Context, prefix string) (ids []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.specs {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (r *racks) Spec(_ context.Context, id string) (*rack.Spec, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.specs[id]
	if !ok {
		return nil, labs.Errorf(labs.NotFound, "The rack does not run.")
	}
	return &s, nil
}

func (r *racks) Freeze(_ context.Context, id, reason string) error {
	if reason == "" {
		return errors.New("freezing without a reason")
	}
	err := r.do("freeze", id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen[id] = err == nil
	return err
}

func (r *racks) Thaw(_ context.Context, id string) error {
	err := r.do("thaw", id)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen[id] = false
	return err
}

func (r *racks) Snapshot(_ context.Context, id, dir string) error {
	if err := r.do("snapshot", id); err != nil {
		return err
	}
	return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "pc1.ext4"), []byte("work"), 0o600))
}

func (r *racks) Check(ctx context.Context, id string, q rack.CheckRequest, progress func(grade.Result)) (*grade.Report, error) {
	if err := r.do("check", id); err != nil {
		return nil, err
	}
	if r.block != nil {
		select {
		case <-r.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Boot == grade.Live && !r.frozen[id] {
		return nil, fmt.Errorf("%s is checked and not frozen", id)
	}
	key := id
	if strings.HasPrefix(id, handin.GradingPrefix) {
		key = "fresh"
		if s := r.specs[id]; !s.Background || s.Disks == "" {
			return nil, fmt.Errorf("%s grades in the foreground, or without the disks", id)
		}
	}
	rep := &grade.Report{Lab: q.Lab, Digest: q.Digest, Boot: q.Boot}
	for _, c := range q.Checks {
		name, trust, _ := c.Kind()
		res := grade.Result{Check: c.Name, Title: c.Title, Kind: name, Trust: trust, Outcome: grade.Fail, Worth: c.Points, Seen: "not so"}
		if r.passes[key][c.Name] && (key != "fresh" || r.flaky[c.Name] == 0) {
			res.Outcome, res.Points = grade.Pass, c.Points
		} else if key == "fresh" && r.flaky[c.Name] > 0 {
			r.flaky[c.Name]--
		}
		rep.Results = append(rep.Results, res)
		if progress != nil {
			progress(res)
		}
	}
	rep.Sum()
	return rep, nil
}

func (r *racks) Remove(_ context.Context, id string) error {
	err := r.do("remove", id)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.specs, id)
	return err
}

func (r *racks) did(what string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.log {
		if strings.HasPrefix(l, what+" ") {
			n++
		}
	}
	return n
}

// class is a desk with a real database, one student and one assignment.
type class struct {
	t          *testing.T
	db         *sqlite.DB
	racks      *racks
	desk       *handin.Desk
	student    labs.User
	assignment labs.Assignment
	rack       labs.RackRecord
	dir        string
	versions   map[string]*labs.Lab // by digest; "" is the newest
	end        func()
	keep       time.Duration
}

func check(name string, points float64, live bool) grade.Check {
	c := grade.Check{Name: name, Title: name, Points: points}
	c.Sysctl = &grade.Sysctl{Node: "pc1", Key: "net.ipv4.ip_forward", Value: []string{"1"}}
	if live {
		no := false
		c.Reboot = &no
	}
	return c
}

func newClass(t *testing.T, checks ...grade.Check) *class {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := &class{t: t, db: db, racks: newRacks(), dir: filepath.Join(t.TempDir(), "submissions"), versions: map[string]*labs.Lab{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c.student = labs.User{Login: "ada", Name: "Ada", Role: labs.Student}
	must(db.CreateUser(ctx, &c.student, ""))
	course, err := db.CreateCourse(ctx, "Networks", c.student.ID)
	must(err)
	c.assignment = labs.Assignment{CourseID: course.ID, Title: "Ping", LabSlug: "ping"}
	must(labs.CleanAssignment(&c.assignment))
	must(db.CreateAssignment(ctx, &c.assignment))
	c.publish("v1", checks...)
	c.rack, _, err = db.EnsureRack(ctx, labs.RackFor{UserID: c.student.ID, LabSlug: "ping", AssignmentID: c.assignment.ID}, "v1")
	must(err)
	must(c.racks.Start(ctx, rack.Spec{ID: c.rack.ID, Owner: "ada", LabSlug: "ping", Topology: labs.Topology{Nodes: []labs.Node{{Name: "pc1"}}}}))
	c.start()
	t.Cleanup(func() { c.end() })
	return c
}

// publish makes a version of the lab the newest.
func (c *class) publish(digest string, checks ...grade.Check) {
	l := &labs.Lab{Slug: "ping", Digest: digest, Checks: checks}
	c.versions[digest], c.versions[""] = l, l
}

// start runs the desk, as a server that comes up.
func (c *class) start() {
	c.t.Helper()
	var err error
	c.desk, err = handin.New(handin.Config{Store: c.db, Racks: c.racks, Dir: c.dir, Keep: c.keep, Lab: func(_ context.Context, slug, digest string, user, team int64) (*labs.Lab, error) {
		if slug != "ping" || user != c.student.ID || team != 0 {
			return nil, fmt.Errorf("lab %q of user %d and team %d asked for", slug, user, team)
		}
		l, ok := c.versions[digest]
		if !ok {
			return nil, fmt.Errorf("no version %q", digest)
		}
		return l, nil
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.desk.Run(ctx) }()
	<-c.desk.Ready()
	var once sync.Once
	c.end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				c.t.Error(err)
			}
		})
	}
}

func (c *class) handIn() labs.Submission {
	c.t.Helper()
	s, err := c.desk.HandIn(context.Background(), &c.assignment, c.rack, c.student.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// until waits for a submission to come to a state.
func (c *class) until(id int64, want labs.SubmissionState) labs.Submission {
	c.t.Helper()
	for range 1000 {
		s, err := c.db.Submission(context.Background(), id)
		if err != nil {
			c.t.Fatal(err)
		}
		if s.State == want {
			return s
		}
		if s.State == labs.Failed || s.State == labs.Graded {
			c.t.Fatalf("the submission is %s (%s), not %s", s.State, s.Error, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.t.Fatalf("the submission never came to %s", want)
	return labs.Submission{}
}

func writeSpec(dir string, s *rack.Spec) error { return rack.WriteSpec(dir, s) }
