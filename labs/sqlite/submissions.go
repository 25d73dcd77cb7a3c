package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

const submissionCols = `id, assignment_id, user_id, coalesce(team_id, 0), attempt, folder, lab_digest, created_at,
	state, regrade, tries, score, worth, graded_at, error`

func scanSubmission(row rowScanner) (s labs.Submission, err error) {
	var created int64
	var gradedAt sql.NullInt64
	err = row.Scan(&s.ID, &s.AssignmentID, &s.UserID, &s.TeamID, &s.Attempt, &s.Folder, &s.LabDigest, &created,
		&s.State, &s.Regrade, &s.Tries, &s.Score, &s.Worth, &gradedAt, &s.Error)
	s.CreatedAt, s.GradedAt = fromMillis(created), fromNullMillis(gradedAt)
	return s, err
}

// BeginSubmission takes an attempt of an assignment for a user, or for their
// team, whose work was of the lab's version digest. Its state is Taking, its
// Folder a new name for the disks: when they are there, say SubmissionTaken,
// when they could not be copied DropSubmission. Conflict when the assignment
// takes nothing now, by the times and attempts that are theirs, or when one is
// being taken already; of several calls at once no more succeed than have
// attempts left.
func (db *DB) BeginSubmission(ctx context.Context, assignmentID, userID int64, digest string) (s labs.Submission, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		b, err := readBook(ctx, tx, assignmentID, userID)
		if err != nil {
			return err
		}
		if b.assignment.Teams() && b.team[userID] == 0 {
			return labs.Errorf(labs.Conflict, "You are in no team for this assignment yet.")
		}
		theirs := b.submissionsOf(userID)
		now := time.Now()
		if err := b.window(userID).MayHandIn(labs.Used(theirs), now); err != nil {
			return err
		}
		attempt := 1
		for i := range theirs {
			attempt = max(attempt, theirs[i].Attempt+1)
			if theirs[i].State == labs.Taking {
				return labs.Errorf(labs.Conflict, "This lab is being handed in just now.")
			}
		}
		s, err = scanSubmission(tx.QueryRowContext(ctx, `INSERT INTO submissions
			(assignment_id, user_id, team_id, attempt, folder, lab_digest, created_at, state)
			VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, 'taking') RETURNING `+submissionCols,
			assignmentID, userID, b.team[userID], attempt, labs.NewRackID(), digest, millis(now)))
		return conflict(err, "recording submission", "This lab is being handed in just now.")
	})
	return s, err
}

// SubmissionTaken puts a submission whose disks are there into the queue.
func (db *DB) SubmissionTaken(ctx context.Context, id int64) error {
	return db.moveSubmission(ctx, id, labs.Taking, labs.Queued)
}

// ReleaseSubmission puts a submission that is being graded back into the queue,
// as when the server ends; the try does not count.
func (db *DB) ReleaseSubmission(ctx context.Context, id int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = 'queued', tries = max(0, tries - 1)
			WHERE id = ? AND state = 'grading'`, id)
		return changed(res, err, "releasing submission", "submission in that state")
	})
}

func (db *DB) moveSubmission(ctx context.Context, id int64, from, to labs.SubmissionState) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = ? WHERE id = ? AND state = ?`, to, id, from)
		return changed(res, err, "moving submission", "submission in that state")
	})
}

// DropSubmission forgets a submission that is being taken: it costs no attempt.
func (db *DB) DropSubmission(ctx context.Context, id int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM submissions WHERE id = ? AND state = 'taking'`, id)
		return changed(res, err, "dropping submission", "submission in that state")
	})
}

// maxTries is how often grading a submission is begun before it has Failed: one
// that brings the server down each time must not do so for ever.
const maxTries = 3

// RecoverSubmissions is for the server's start, before anything is graded or
// handed in: what was being graded is queued again, or has failed when that was
// tried three times, and what was being taken is forgotten. Those come back, so
// that their folders can be removed.
func (db *DB) RecoverSubmissions(ctx context.Context) (dropped []labs.Submission, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE submissions SET
			error = CASE WHEN tries >= ?1 THEN 'Grading was begun several times and never ended.' ELSE error END,
			state = CASE WHEN tries >= ?1 THEN 'failed' ELSE 'queued' END WHERE state = 'grading'`, maxTries)
		if err != nil {
			return fmt.Errorf("queueing submissions again: %w", err)
		}
		rows, err := tx.QueryContext(ctx, `DELETE FROM submissions WHERE state = 'taking' RETURNING `+submissionCols)
		if err != nil {
			return fmt.Errorf("dropping submissions: %w", err)
		}
		dropped, err = scanAll(rows, func(rows *sql.Rows) (labs.Submission, error) { return scanSubmission(rows) })
		return err
	})
	return dropped, err
}

// ClaimSubmission takes the next submission from the queue, to be graded: new
// ones first, regrades behind them, each in their order. ok is false when the
// queue is empty. No two calls get the same.
func (db *DB) ClaimSubmission(ctx context.Context) (s labs.Submission, ok bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		s, err = scanSubmission(tx.QueryRowContext(ctx, `UPDATE submissions SET state = 'grading', tries = tries + 1
			WHERE id = (SELECT id FROM submissions WHERE state = 'queued' ORDER BY regrade, id LIMIT 1) RETURNING `+submissionCols))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return notFound(err, "claiming submission", "submission")
	})
	return s, ok, err
}

// SetReport keeps a report of a submission; its Boot says which of the two.
func (db *DB) SetReport(ctx context.Context, id int64, r *grade.Report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO reports (submission_id, boot, report) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET report = excluded.report`, id, r.Boot, text)
		return conflict(err, "storing report", "")
	})
}

// Reports finds what a submission's checks found; nil when there is none.
func (db *DB) Reports(ctx context.Context, id int64) (live, fresh *grade.Report, err error) {
	rows, err := db.r.QueryContext(ctx, `SELECT report FROM reports WHERE submission_id = ?`, id)
	if err != nil {
		return nil, nil, fmt.Errorf("reading reports: %w", err)
	}
	all, err := scanAll(rows, func(rows *sql.Rows) (*grade.Report, error) {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		r := new(grade.Report)
		return r, json.Unmarshal(text, r)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading reports: %w", err)
	}
	for _, r := range all {
		switch r.Boot {
		case grade.Fresh:
			fresh = r
		case grade.Live:
			live = r
		}
	}
	return live, fresh, nil
}

// CountingReport finds the report that a submission's grade is made of; nil
// when it was not graded yet.
func (db *DB) CountingReport(ctx context.Context, id int64) (*grade.Report, error) {
	var text []byte
	err := db.r.QueryRowContext(ctx, `SELECT report FROM reports WHERE submission_id = ? AND boot = ?`, id, grade.Counts).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading report: %w", err)
	}
	r := new(grade.Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("reading report: %w", err)
	}
	return r, nil
}

// FinishSubmission says that a submission is graded by the lab's version
// digest, and what it earned of what. The grades of whoever handed in follow.
func (db *DB) FinishSubmission(ctx context.Context, id int64, digest string, score, worth float64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		s, err := submission(ctx, tx, id)
		if err != nil {
			return err
		}
		why := "graded"
		if s.Regrade {
			why = "regraded"
		}
		return regrade(ctx, tx, change{assignment: s.AssignmentID, why: why, comment: fmt.Sprintf("attempt %d", s.Attempt)}, func() error {
			res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = 'graded', lab_digest = ?, score = ?, worth = ?,
				graded_at = ?, error = '' WHERE id = ? AND state = 'grading'`, digest, score, worth, millis(time.Now()), id)
			return changed(res, err, "finishing submission", "submission that is being graded")
		})
	})
}

// FailSubmission says that a submission could not be graded, and why, in a
// sentence for its student and staff. What it was graded before stays.
func (db *DB) FailSubmission(ctx context.Context, id int64, sentence string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = 'failed', error = ? WHERE id = ? AND state = 'grading'`, sentence, id)
		return changed(res, err, "failing submission", "submission that is being graded")
	})
}

// Regrade queues all submissions of an assignment that were graded, or failed,
// once more, and says how many.
func (db *DB) Regrade(ctx context.Context, assignmentID int64) (n int, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = 'queued', regrade = graded_at IS NOT NULL, tries = 0
			WHERE assignment_id = ? AND state IN ('graded', 'failed')`, assignmentID)
		if err != nil {
			return fmt.Errorf("queueing submissions again: %w", err)
		}
		count, err := res.RowsAffected()
		n = int(count)
		return err
	})
	return n, err
}

// RegradeOne is Regrade of one submission.
func (db *DB) RegradeOne(ctx context.Context, id int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE submissions SET state = 'queued', regrade = graded_at IS NOT NULL, tries = 0
			WHERE id = ? AND state IN ('graded', 'failed')`, id)
		return changed(res, err, "queueing submission again", "submission in that state")
	})
}

// CountSubmissions counts an assignment's submissions by their state.
func (db *DB) CountSubmissions(ctx context.Context, assignmentID int64) (map[labs.SubmissionState]int, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT state, count(*) FROM submissions WHERE assignment_id = ? GROUP BY state`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("counting submissions: %w", err)
	}
	counts := map[labs.SubmissionState]int{}
	_, err = scanAll(rows, func(rows *sql.Rows) (n int, err error) {
		var state labs.SubmissionState
		err = rows.Scan(&state, &n)
		counts[state] = n
		return n, err
	})
	return counts, err
}

// Submission finds a submission by ID.
func (db *DB) Submission(ctx context.Context, id int64) (labs.Submission, error) {
	return submission(ctx, db.r, id)
}

func submission(ctx context.Context, q queryer, id int64) (labs.Submission, error) {
	s, err := scanSubmission(q.QueryRowContext(ctx, `SELECT `+submissionCols+` FROM submissions WHERE id = ?`, id))
	return s, notFound(err, "finding submission", "submission")
}

// Submissions lists an assignment's submissions, the newest first.
func (db *DB) Submissions(ctx context.Context, assignmentID int64) ([]labs.Submission, error) {
	return submissions(ctx, db.r, `assignment_id = ?`, assignmentID)
}

// SubmissionsOf lists what a user, or the team that they are in, handed in for
// an assignment, the newest first.
func (db *DB) SubmissionsOf(ctx context.Context, assignmentID, userID int64) ([]labs.Submission, error) {
	return submissions(ctx, db.r, ofUser, assignmentID, userID)
}

// SupersededSubmissions lists graded attempts that were handed in before a time
// and behind which the same user or team has a later one that is graded.
func (db *DB) SupersededSubmissions(ctx context.Context, before time.Time) ([]labs.Submission, error) {
	return submissions(ctx, db.r, `state = 'graded' AND created_at < ? AND EXISTS (SELECT 1 FROM submissions AS later
		WHERE later.assignment_id = submissions.assignment_id AND later.attempt > submissions.attempt AND later.graded_at IS NOT NULL
		AND (later.team_id = submissions.team_id OR later.team_id IS NULL AND submissions.team_id IS NULL AND later.user_id = submissions.user_id))`,
		millis(before))
}

// SubmissionCounts says whether somebody's grade is made of a submission now.
func (db *DB) SubmissionCounts(ctx context.Context, s *labs.Submission) (bool, error) {
	whose := []int64{s.UserID}
	if s.TeamID != 0 {
		team, err := db.Team(ctx, s.TeamID)
		if err != nil {
			return false, err
		}
		for _, m := range team.Members {
			whose = append(whose, m.ID)
		}
	}
	all, err := db.Standings(ctx, s.AssignmentID, whose...)
	if err != nil {
		return false, err
	}
	for _, st := range all {
		if st.Grade.Submission == s.ID {
			return true, nil
		}
	}
	return false, nil
}

// ofUser finds what a user (?2), or their team, handed in for an assignment (?1).
const ofUser = `assignment_id = ?1 AND (
	team_id = (SELECT team_id FROM team_members WHERE assignment_id = ?1 AND user_id = ?2)
	OR user_id = ?2 AND team_id IS NULL AND NOT EXISTS (SELECT 1 FROM team_members WHERE assignment_id = ?1 AND user_id = ?2))`

type rowsQueryer interface {
	queryer
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

func submissions(ctx context.Context, q rowsQueryer, where string, args ...any) ([]labs.Submission, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+submissionCols+` FROM submissions WHERE `+where+` ORDER BY id DESC`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing submissions: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.Submission, error) { return scanSubmission(rows) })
}
