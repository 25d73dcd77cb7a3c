package web

import (
	"context"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// What was handed in, as the pages of assignments and grades list it.

// submissionRow is a submission in a list.
type submissionRow struct {
	labs.Submission
	By     string // a name
	Team   string // the team's, in lists of everybody
	LateBy time.Duration
	Counts bool
}

// maxListed is how many submissions the page lists when it is not asked for all.
const maxListed = 100

// Total is how many submissions there are, and Settled how many need no more of
// the server.
func (d assignmentData) Total() (n int) {
	for _, count := range d.States {
		n += count
	}
	return n
}

func (d assignmentData) Settled() int { return d.States[labs.Graded] + d.States[labs.Failed] }

// NotNow says why nothing can be handed in; empty when it can.
func (d assignmentData) NotNow() string {
	if err := d.Window.MayHandIn(d.Grade.Attempts, time.Now()); err != nil {
		return labs.MessageOf(err)
	}
	if len(d.Racks) == 0 {
		return "What is handed in is the running lab: open it first."
	}
	return ""
}

// Terms is what one should know before handing in.
func (d assignmentData) Terms() string {
	words := fmt.Sprintf("This is attempt %d", d.Grade.Attempts+1)
	if n := d.Window.Attempts; n > 0 {
		words += fmt.Sprintf(" of %d", n)
	}
	words += "."
	if !d.Window.Due.IsZero() && d.Phase == labs.Late {
		words += " It is late. " + d.LateRule()
	}
	return words + " Your machines stand still for a moment, are checked, and their disks are copied. The copy is booted afresh later and checked once more."
}

// submissionRows lists what a user, or their team, handed in.
func (s *Server) submissionRows(ctx context.Context, as *labs.Assignment, user int64, st sqlite.Standing) ([]submissionRow, error) {
	all, err := s.store.SubmissionsOf(ctx, as.ID, user)
	if err != nil {
		return nil, err
	}
	rows := make([]submissionRow, len(all))
	for i, sub := range all {
		u, err := s.store.User(ctx, sub.UserID)
		if err != nil {
			return nil, err
		}
		rows[i] = submissionRow{Submission: sub, By: u.Name, LateBy: st.Window.LateBy(sub.CreatedAt), Counts: sub.ID == st.Grade.Submission}
	}
	return rows, nil
}

// everybodysRows lists what was handed in, the newest first.
func (s *Server) everybodysRows(ctx context.Context, as *labs.Assignment, all bool) ([]submissionRow, error) {
	subs, err := s.store.Submissions(ctx, as.ID)
	if err != nil {
		return nil, err
	}
	if !all {
		subs = subs[:min(len(subs), maxListed)]
	}
	members, err := s.store.Members(ctx, as.CourseID)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, m := range members {
		names[m.ID] = m.Name
	}
	teams, err := s.store.Teams(ctx, as.ID)
	if err != nil {
		return nil, err
	}
	teamNames := map[int64]string{}
	for i := range teams {
		teamNames[teams[i].ID] = teams[i].Name
	}
	ids := make([]int64, len(subs))
	for i, sub := range subs {
		ids[i] = sub.UserID
	}
	standings, err := s.store.Standings(ctx, as.ID, ids...)
	if err != nil {
		return nil, err
	}
	rows := make([]submissionRow, len(subs))
	for i, sub := range subs {
		if names[sub.UserID] == "" { // who has left the course
			u, err := s.store.User(ctx, sub.UserID)
			if err != nil {
				return nil, err
			}
			names[sub.UserID] = u.Name
		}
		st := standings[sub.UserID]
		rows[i] = submissionRow{Submission: sub, By: names[sub.UserID], Team: teamNames[sub.TeamID],
			LateBy: st.Window.LateBy(sub.CreatedAt), Counts: sub.ID == st.Grade.Submission}
	}
	return rows, nil
}
