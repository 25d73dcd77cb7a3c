package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/handin"
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// benchClass is a course on a real database, each of whose students hands in once.
type benchClass struct {
	db         *sqlite.DB
	lab        *labs.Lab
	assignment labs.Assignment
	teacher    labs.User
	students   []labs.User
	rack       labs.RackRecord // of the first student
}

// handIns is how many students hand in a running lab. The others have a copy of
// the disks of one of them, which saves a benchmark most of its time.
const handIns = 3

func newBenchClass(ctx context.Context, f *Folders, lab *labs.Lab, students int) (_ *benchClass, err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	c := &benchClass{db: db, lab: lab, teacher: labs.User{Login: "teacher", Name: "Teacher", Role: labs.Instructor}}
	if err := db.CreateUser(ctx, &c.teacher, ""); err != nil {
		return nil, err
	}
	course, err := db.CreateCourse(ctx, "Benchmark", c.teacher.ID)
	if err != nil {
		return nil, err
	}
	for i := range students {
		u := labs.User{Login: fmt.Sprintf("student%d", i+1), Name: fmt.Sprintf("Student %d", i+1), Role: labs.Student}
		if err := db.CreateUser(ctx, &u, ""); err != nil {
			return nil, err
		}
		if err := db.Enrol(ctx, course.ID, u.ID, false); err != nil {
			return nil, err
		}
		c.students = append(c.students, u)
	}
	c.assignment = labs.Assignment{CourseID: course.ID, Title: lab.Title, LabSlug: lab.Slug}
	if err := errors.Join(labs.CleanAssignment(&c.assignment), db.CreateAssignment(ctx, &c.assignment)); err != nil {
		return nil, err
	}
	c.rack, _, err = db.EnsureRack(ctx, labs.RackFor{UserID: c.students[0].ID, LabSlug: lab.Slug, AssignmentID: c.assignment.ID}, lab.Digest)
	return c, err
}

// fill has every student hand in, once, and be graded. The first ones' work is
// taken from the running rack.
func (c *benchClass) fill(ctx context.Context, f *Folders, t *tempRack, take *figure) error {
	real := min(handIns, len(c.students))
	if err := c.handInAll(ctx, f, t, real, take); err != nil {
		return err
	}
	all, err := c.db.Submissions(ctx, c.assignment.ID)
	if err != nil {
		return err
	}
	for i := real; i < len(c.students); i++ {
		if i%10 == 0 {
			progressf("copying submissions, %d of %d", i, len(c.students))
		}
		if err := c.copySubmission(ctx, f, &all[i%len(all)], c.students[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// handInAll runs a desk for as long as the first n students take to hand in.
func (c *benchClass) handInAll(ctx context.Context, f *Folders, t *tempRack, n int, take *figure) (err error) {
	desk, err := handin.New(handin.Config{
		Store: c.db, Racks: localRacks{&spawn.Local{State: f.State, Cache: f.Cache}}, Dir: benchSubmissions(f),
		Lab: func(context.Context, string, string, int64, int64) (*labs.Lab, error) { return c.lab, nil },
	})
	if err != nil {
		return err
	}
	life, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- desk.Run(life) }()
	defer func() { cancel(); err = errors.Join(err, <-done) }()
	for i := range n {
		progressf("handing in, %d of %d", i+1, n)
		if err := benchWork(ctx, t.dir, i+1); err != nil {
			return err
		}
		began := time.Now()
		s, err := desk.HandIn(ctx, &c.assignment, c.rack, c.students[i].ID)
		if err != nil {
			return err
		}
		if err := taken(ctx, desk, s.ID); err != nil {
			return err
		}
		take.add(millis(time.Since(began)))
	}
	return c.untilGraded(ctx, n)
}

func taken(ctx context.Context, desk *handin.Desk, id int64) error {
	for {
		p, under := desk.Progress(id)
		if !under {
			return nil
		}
		if p.Failed != "" {
			return fmt.Errorf("handing in: %s", p.Failed)
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}

// copySubmission makes a graded submission of a student's of another one's:
// with disks of its own, and the same reports. Nobody grades meanwhile.
func (c *benchClass) copySubmission(ctx context.Context, f *Folders, of *labs.Submission, student int64) error {
	live, fresh, err := c.db.Reports(ctx, of.ID)
	if err != nil {
		return err
	}
	counts, err := c.db.CountingReport(ctx, of.ID)
	if err != nil {
		return err
	}
	s, err := c.db.BeginSubmission(ctx, c.assignment.ID, student, of.LabDigest)
	if err != nil {
		return err
	}
	if err := copyFolder(filepath.Join(benchSubmissions(f), s.Folder), filepath.Join(benchSubmissions(f), of.Folder)); err != nil {
		return fmt.Errorf("copying a submission: %w", err)
	}
	for _, r := range []*grade.Report{live, fresh, counts} {
		if err := c.db.SetReport(ctx, s.ID, r); err != nil {
			return err
		}
	}
	if err := c.db.SubmissionTaken(ctx, s.ID); err != nil {
		return err
	}
	claimed, ok, err := c.db.ClaimSubmission(ctx)
	if err != nil {
		return err
	}
	if !ok || claimed.ID != s.ID {
		return fmt.Errorf("claimed submission %d, not %d", claimed.ID, s.ID)
	}
	return c.db.FinishSubmission(ctx, s.ID, of.LabDigest, of.Score, of.Worth)
}

// copyFolder copies files with their holes.
func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Mkdir(filepath.Join(to, name), 0o700)
		}
		return image.CopySparse(filepath.Join(to, name), path)
	})
}

// untilGraded waits until the class's submissions, which are so many, have a
// grade each.
func (c *benchClass) untilGraded(ctx context.Context, want int) error {
	told := time.Now()
	for {
		n, err := c.db.CountSubmissions(ctx, c.assignment.ID)
		if err != nil {
			return err
		}
		switch {
		case n[labs.Failed] > 0:
			return c.whyFailed(ctx)
		case n[labs.Graded] == want:
			return nil
		case time.Since(told) > 15*time.Second:
			told = time.Now()
			progressf("graded %d of %d", n[labs.Graded], want)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *benchClass) whyFailed(ctx context.Context) error {
	all, err := c.db.Submissions(ctx, c.assignment.ID)
	for i := range all {
		if all[i].State == labs.Failed {
			err = errors.Join(err, fmt.Errorf("submission %d could not be graded: %s", all[i].ID, all[i].Error))
		}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
