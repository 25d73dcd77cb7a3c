package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// benchClass is a real desk on a real database, with one student.
type benchClass struct {
	db         *sqlite.DB
	desk       *handin.Desk
	assignment labs.Assignment
	student    labs.User
	rack       labs.RackRecord
	stop       func() error
}

func newBenchClass(ctx context.Context, f *Folders, t *tempRack, lab *labs.Lab, graders int) (_ *benchClass, err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	c := &benchClass{db: db, student: labs.User{Login: "student", Name: "Student", Role: labs.Student}}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err := db.CreateUser(ctx, &c.student, ""); err != nil {
		return nil, err
	}
	course, err := db.CreateCourse(ctx, "Benchmark", c.student.ID)
	if err != nil {
		return nil, err
	}
	c.assignment = labs.Assignment{CourseID: course.ID, Title: lab.Title, LabSlug: lab.Slug}
	if err := errors.Join(labs.CleanAssignment(&c.assignment), db.CreateAssignment(ctx, &c.assignment)); err != nil {
		return nil, err
	}
	c.rack = labs.RackRecord{ID: t.id, LabDigest: lab.Digest,
		RackFor: labs.RackFor{UserID: c.student.ID, LabSlug: lab.Slug, AssignmentID: c.assignment.ID}}
	c.desk, err = handin.New(handin.Config{
		Store: db, Racks: localRacks{&spawn.Local{State: f.State, Cache: f.Cache}}, Dir: benchSubmissions(f), Workers: graders,
		Lab: func(context.Context, string, string, int64, int64) (*labs.Lab, error) { return lab, nil },
	})
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.desk.Run(life) }()
	select {
	case <-c.desk.Ready():
	case err := <-done:
		cancel()
		return nil, err
	}
	c.stop = func() error { cancel(); return <-done }
	return c, nil
}

func (c *benchClass) close() error { return errors.Join(c.stop(), c.db.Close()) }

// handIn hands the running rack in and says how long it took until it was taken.
func (c *benchClass) handIn(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	s, err := c.desk.HandIn(ctx, &c.assignment, c.rack, c.student.ID)
	if err != nil {
		return 0, err
	}
	for {
		p, under := c.desk.Progress(s.ID)
		if !under {
			return time.Since(began), nil
		}
		if p.Failed != "" {
			return 0, fmt.Errorf("handing in: %s", p.Failed)
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

func (c *benchClass) regrade(ctx context.Context, want int) error {
	n, err := c.db.Regrade(ctx, c.assignment.ID)
	if err == nil && n != want {
		err = fmt.Errorf("%d submissions are graded again, not %d", n, want)
	}
	c.desk.Poke()
	return err
}

// allGraded waits until every submission has a grade.
func (c *benchClass) allGraded(ctx context.Context, want int) error {
	for {
		all, err := c.db.Submissions(ctx, c.assignment.ID)
		if err != nil {
			return err
		}
		graded := 0
		for _, s := range all {
			switch s.State {
			case labs.Failed:
				return fmt.Errorf("a submission could not be graded: %s", s.Error)
			case labs.Graded:
				graded++
			}
		}
		if graded == want {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// typist is a student who types, a key at a time, and waits for each to appear.
type typist struct {
	stream *rack.Stream
	term   *rack.Terminal
	seen   chan []byte
}

// key is what is typed: no prompt has it.
const key = '~'

func newTypist(ctx context.Context, dir, node string) (*typist, error) {
	stream, err := openStream(ctx, dir)
	if err != nil {
		return nil, err
	}
	term, err := stream.Attach(ctx, rack.AttachOptions{Node: node})
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	t := &typist{stream: stream, term: term, seen: make(chan []byte, 1024)}
	go func() { // ends with the stream
		defer close(t.seen)
		for {
			b := make([]byte, 4096)
			n, err := term.Read(b)
			if err != nil {
				return
			}
			t.seen <- b[:n]
		}
	}()
	return t, nil
}

func (t *typist) close() {
	_ = t.stream.Close()
	for range t.seen { // until its reader has ended
	}
}

// typeFor types some 30 keys a second until over, and gives each one's time to
// its echo in ms.
func (t *typist) typeFor(ctx context.Context, over <-chan time.Time) (times []float64, err error) {
	for {
		select {
		case <-over:
			if len(times) < 100 {
				return nil, fmt.Errorf("only %d keys were echoed: too few for a 99th part", len(times))
			}
			return times, nil
		default:
		}
		if len(times)%40 == 39 { // the line is emptied
			if _, err := t.term.Write([]byte{'U' & 0x1f}); err != nil {
				return nil, err
			}
			if err := sleep(ctx, 200*time.Millisecond); err != nil {
				return nil, err
			}
		}
		for len(t.seen) > 0 {
			<-t.seen
		}
		began := time.Now()
		if _, err := t.term.Write([]byte{key}); err != nil {
			return nil, err
		}
		if err := t.echo(ctx); err != nil {
			return nil, err
		}
		times = append(times, millis(time.Since(began)))
		if err := sleep(ctx, 30*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (t *typist) echo(ctx context.Context) error {
	late := time.After(10 * time.Second)
	for {
		select {
		case b, ok := <-t.seen:
			if !ok {
				return errors.New("the console has ended")
			}
			if bytes.IndexByte(b, key) >= 0 {
				return nil
			}
		case <-late:
			return errors.New("a key was not echoed within 10 s")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
