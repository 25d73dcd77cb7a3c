package sqlite_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
)

func TestTeams(t *testing.T) {
	ctx := context.Background()
	k := newClass(t, func(a *labs.Assignment) { a.TeamSize, a.SelfJoin = 2, true })
	_, err := k.db.BeginSubmission(ctx, k.a.ID, k.ada.ID, "d1")
	wantCode(t, err, labs.Conflict) // no team yet
	red, err := k.db.CreateTeamWith(ctx, k.a.ID, " Red ", k.ada.ID)
	if err != nil || red.Name != "Red" {
		t.Fatalf("CreateTeamWith = %+v, %v", red, err)
	}
	_, err = k.db.CreateTeamWith(ctx, k.a.ID, "Red", k.bob.ID)
	wantCode(t, err, labs.Conflict)
	_, err = k.db.CreateTeam(ctx, k.a.ID, "\n")
	wantCode(t, err, labs.Invalid)
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.bob.ID, k.bob.ID), "")
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.bob.ID, k.bob.ID), "") // is in it
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.carl.ID, k.carl.ID), labs.Conflict)
	wantCode(t, k.db.JoinTeam(ctx, 99, k.carl.ID, k.carl.ID), labs.NotFound)

	// They share a rack, which follows the team.
	f := labs.RackFor{UserID: k.ada.ID, LabSlug: "static-routing", AssignmentID: k.a.ID, TeamID: red.ID}
	rack, _, err := k.db.EnsureRack(ctx, f, "d1")
	if err != nil {
		t.Fatal(err)
	}
	f.UserID = k.bob.ID
	if same, made, err := k.db.EnsureRack(ctx, f, "d1"); err != nil || made || same != rack {
		t.Errorf("the other member's rack is %+v, %v, %v; want %+v", same, made, err, rack)
	}
	practice, _, err := k.db.EnsureRack(ctx, labs.RackFor{UserID: k.ada.ID, LabSlug: "static-routing"}, "d1")
	if err != nil || practice.ID == rack.ID {
		t.Errorf("the rack for practice is %+v, %v", practice, err)
	}
	owns := func(u labs.User, want bool) {
		t.Helper()
		if got, err := k.db.OwnsRack(ctx, u.ID, rack); err != nil || got != want {
			t.Errorf("%s owns the team's rack: %v, %v", u.Login, got, err)
		}
	}
	owns(k.ada, true)
	owns(k.bob, true)
	owns(k.carl, false)
	if all, err := k.db.RacksOf(ctx, k.bob.ID); err != nil || !slices.Equal(all, []labs.RackRecord{rack}) {
		t.Errorf("bob's racks are %+v, %v", all, err)
	}

	// One grade for both; one attempt of either counts.
	s := k.handIn(t, k.bob.ID, 5, 10)
	if s.TeamID != red.ID {
		t.Errorf("the submission is %+v", s)
	}
	for _, u := range []labs.User{k.ada, k.bob} {
		if g := k.grade(t, u.ID); g.Points != 10 || g.Attempts != 1 {
			t.Errorf("%s has %+v; want 10", u.Login, g)
		}
		if got := k.history(t, u.ID); !slices.Equal(got, []string{": graded – → 10"}) {
			t.Errorf("history of %s: %q", u.Login, got)
		}
	}
	if all, err := k.db.SubmissionsOf(ctx, k.a.ID, k.ada.ID); err != nil || len(all) != 1 {
		t.Errorf("SubmissionsOf = %+v, %v", all, err)
	}
	if all, err := k.db.SubmissionsOf(ctx, k.a.ID, k.carl.ID); err != nil || len(all) != 0 {
		t.Errorf("carl's SubmissionsOf = %+v, %v", all, err)
	}

	// Once it handed in, only staff move people.
	blue, err := k.db.CreateTeamWith(ctx, k.a.ID, "Blue", k.carl.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.JoinTeam(ctx, blue.ID, k.bob.ID, k.bob.ID), labs.Conflict)
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.bob.ID), labs.Conflict)
	wantCode(t, k.db.JoinTeam(ctx, blue.ID, k.ada.ID, k.ivan.ID), "")
	owns(k.ada, false) // though she began it
	if g := k.grade(t, k.ada.ID); g.Has {
		t.Errorf("ada took the grade along: %+v", g)
	}
	if got := k.history(t, k.ada.ID); len(got) != 2 || got[1] != "ivan: team changed 10 → –" {
		t.Errorf("history of ada: %q", got)
	}
	// Nobody joins for the grade that a team has.
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.carl.ID, k.ivan.ID), "")
	wantCode(t, k.db.JoinTeam(ctx, red.ID, k.carl.ID, k.carl.ID), labs.Conflict)
	wantCode(t, k.db.JoinTeam(ctx, blue.ID, k.carl.ID, k.carl.ID), "")
	// Who leaves the course leaves its teams' racks.
	owns(k.bob, true)
	wantCode(t, k.db.Leave(ctx, k.a.CourseID, k.bob.ID), "")
	owns(k.bob, false)
	if all, err := k.db.RacksOf(ctx, k.bob.ID); err != nil || len(all) != 0 {
		t.Errorf("who was removed still has %+v, %v", all, err)
	}
	wantCode(t, k.db.Enrol(ctx, k.a.CourseID, k.bob.ID, false), "")
	owns(k.bob, true)
	// An extension of one holds for the team.
	late := time.Now().Add(-time.Hour)
	a := k.a
	a.DueAt, a.ClosesAt = late, late
	wantCode(t, k.db.UpdateAssignment(ctx, &a, k.ivan.ID), "")
	wantCode(t, k.db.Extend(ctx, labs.Extension{AssignmentID: k.a.ID, UserID: k.carl.ID, DueAt: late.Add(2 * time.Hour), ByID: k.ivan.ID}), "")
	k.handIn(t, k.ada.ID, 10, 10)
	_, err = k.db.BeginSubmission(ctx, k.a.ID, k.bob.ID, "d1")
	wantCode(t, err, labs.Conflict)

	// An empty team without work goes, one with work stays, and so does one that
	// nobody was in yet.
	ready, err := k.db.CreateTeam(ctx, k.a.ID, "Ready")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.ivan.ID), "")
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.ivan.ID), labs.NotFound)
	empty, err := k.db.CreateTeamWith(ctx, k.a.ID, "Green", k.bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.bob.ID), "")
	_, err = k.db.Team(ctx, empty.ID)
	wantCode(t, err, labs.NotFound)
	for _, name := range []string{"One", "Two", "Three"} { // each leaves the one before
		if _, err := k.db.CreateTeamWith(ctx, k.a.ID, name, k.bob.ID); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, k.db.JoinTeam(ctx, ready.ID, k.bob.ID, k.bob.ID), "")
	wantCode(t, k.db.LeaveTeam(ctx, k.a.ID, k.bob.ID, k.bob.ID), "")
	teams, err := k.db.Teams(ctx, k.a.ID)
	if err != nil || len(teams) != 2 || !teams[0].Has(k.carl.ID) || len(teams[1].Members) != 0 {
		t.Errorf("Teams = %+v, %v", teams, err)
	}
}

func TestOrdinals(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	numbers := map[int][]string{}
	for i := range 40 {
		student := labs.StudentKey(int64(1+i%20), 0) // each twice
		wg.Go(func() {
			n, err := db.Ordinal(ctx, "vlan", student)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			numbers[n] = append(numbers[n], student)
		})
	}
	wg.Wait()
	for n := range 20 {
		if s := numbers[n]; len(s) != 2 || s[0] != s[1] {
			t.Errorf("number %d has %v; want one student, twice", n, s)
		}
	}
	if n, err := db.Ordinal(ctx, "ospf", labs.StudentKey(5, 7)); n != 0 || err != nil {
		t.Errorf("the first of another lab is %d, %v", n, err)
	}
}
