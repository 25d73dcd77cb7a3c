package sqlite_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// TestAttempts: of many calls at once exactly as many succeed as there are
// attempts, and none outside of the times.
func TestAttempts(t *testing.T) {
	ctx := context.Background()
	k := newClass(t, func(a *labs.Assignment) { a.Attempts = 2; a.DueAt = time.Now().Add(time.Hour) })
	var wg sync.WaitGroup
	got := make(chan labs.Submission, 20)
	for range cap(got) {
		wg.Go(func() {
			s, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
			if err != nil {
				wantCode(t, err, labs.Conflict)
				return
			}
			got <- s
		})
	}
	wg.Wait()
	close(got)
	if len(got) != 1 {
		t.Fatalf("%d submissions are being taken at once; want 1", len(got))
	}
	first := <-got
	if first.Attempt != 1 || first.State != labs.Taking || len(first.Folder) != 12 || first.LabDigest != "d1" {
		t.Errorf("the first is %+v", first)
	}
	// What could not be taken costs nothing.
	wantCode(t, k.db.DropSubmission(ctx, first.ID), "")
	k.handIn(t, k.ada.ID, 1, 10)
	second := k.handIn(t, k.ada.ID, 5, 10)
	if second.Attempt != 2 || second.Folder == first.Folder {
		t.Errorf("the second is %+v", second)
	}
	_, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict)
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.ada.ID, Attempts: 1, ByID: k.ivan.ID}), "")
	third := k.handIn(t, k.ada.ID, 3, 10)
	_, err = k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict)
	if g := k.grade(t, k.ada.ID); g.Points != 10 || g.Submission != second.ID || third.Attempt != 3 {
		t.Errorf("the grade is %+v; want that of the second, 10", g)
	}

	// Others have attempts of their own; too early and too late there are none.
	k.handIn(t, k.bob.ID, 1, 10)
	for _, times := range [][2]time.Duration{{time.Hour, 3 * time.Hour}, {-3 * time.Hour, -time.Hour}} {
		a := k.a
		a.Attempts = 0
		a.OpensAt, a.DueAt, a.ClosesAt = time.Now().Add(times[0]), time.Now().Add(times[1]), time.Now().Add(times[1])
		wantCode(t, k.db.UpdateAssignment(ctx, &a, k.ivan.ID), "")
		_, err := k.db.BeginSubmission(ctx, a.ID, k.carl.ID, "d1")
		wantCode(t, err, labs.Conflict)
	}
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.carl.ID, DueAt: time.Now().Add(time.Hour), ByID: k.ivan.ID}), "")
	k.handIn(t, k.carl.ID, 10, 10)
	_, err = k.db.BeginSubmission(ctx, 99, k.ada.ID, "d1")
	wantCode(t, err, labs.NotFound)
}

func TestQueue(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	if _, ok, err := k.db.ClaimSubmission(ctx); ok || err != nil {
		t.Fatalf("an empty queue gives %v, %v", ok, err)
	}
	// Each is claimed once, however many ask.
	want := map[int64]bool{}
	for range 4 {
		for _, u := range []labs.User{k.ada, k.bob, k.carl} {
			s, err := k.db.BeginSubmission(ctx, k.a.ID, u.ID, "d1")
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, k.db.SubmissionTaken(ctx, s.ID), "")
			wantCode(t, k.db.SubmissionTaken(ctx, s.ID), labs.NotFound)
			wantCode(t, k.db.DropSubmission(ctx, s.ID), labs.NotFound)
			want[s.ID] = true
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				s, ok, err := k.db.ClaimSubmission(ctx)
				if err != nil || !ok {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				if !want[s.ID] {
					t.Errorf("%d was claimed twice", s.ID)
				}
				delete(want, s.ID)
				mu.Unlock()
				wantCode(t, k.db.FinishSubmission(ctx, s.ID, "d1", 5, 10), "")
			}
		})
	}
	wg.Wait()
	if len(want) != 0 {
		t.Errorf("never claimed: %v", want)
	}

	// A new submission goes before the regrades.
	if n, err := k.db.Regrade(ctx, k.a.ID); n != 12 || err != nil {
		t.Errorf("Regrade = %d, %v", n, err)
	}
	fresh, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d2")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.SubmissionTaken(ctx, fresh.ID), "")
	s, _, err := k.db.ClaimSubmission(ctx)
	if err != nil || s.ID != fresh.ID || s.Regrade {
		t.Errorf("first came %+v, %v; want %d", s, err, fresh.ID)
	}
	wantCode(t, k.db.FailSubmission(ctx, s.ID, "The image is gone."), "")
	wantCode(t, k.db.FailSubmission(ctx, s.ID, "again"), labs.NotFound)
	s, _, err = k.db.ClaimSubmission(ctx)
	if err != nil || !s.Regrade || s.Score != 5 {
		t.Errorf("then came %+v, %v; want a regrade that still has its score", s, err)
	}
	wantCode(t, k.db.ReleaseSubmission(ctx, s.ID), "")
	counts, err := k.db.CountSubmissions(ctx, k.a.ID)
	if err != nil || counts[labs.Queued] != 12 || counts[labs.Failed] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	wantCode(t, k.db.RegradeOne(ctx, fresh.ID), "")
	wantCode(t, k.db.RegradeOne(ctx, fresh.ID), labs.NotFound) // it is queued already
}

// TestRecover: after a crash what was graded is queued again, three times at
// most, and what was being taken is gone.
func TestRecover(t *testing.T) {
	ctx := context.Background()
	k := newClass(t)
	half, err := k.db.BeginSubmission(ctx, k.a.ID, k.bob.ID, "d1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.SubmissionTaken(ctx, s.ID), "")
	for try := 1; try <= 3; try++ {
		c, ok, err := k.db.ClaimSubmission(ctx)
		if err != nil || !ok || c.Tries != try {
			t.Fatalf("try %d: %+v, %v, %v", try, c, ok, err)
		}
		dropped, err := k.db.RecoverSubmissions(ctx)
		if err != nil || (try == 1) != (len(dropped) == 1) || try == 1 && dropped[0] != half {
			t.Errorf("try %d: dropped %+v, %v", try, dropped, err)
		}
	}
	got, err := k.db.Submission(ctx, s.ID)
	if err != nil || got.State != labs.Failed || got.Error == "" {
		t.Errorf("after three crashes: %+v, %v", got, err)
	}
	if g := k.grade(t, k.ada.ID); g.Attempts != 0 || g.Failed != 1 {
		t.Errorf("a failure of ours costs an attempt: %+v", g)
	}
}
