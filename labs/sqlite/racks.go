package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const rackCols = `id, user_id, lab_slug, coalesce(assignment_id, 0), coalesce(team_id, 0), coalesce(submission_id, 0), lab_digest, created_at`

func scanRack(row rowScanner) (labs.RackRecord, error) {
	var r labs.RackRecord
	var created int64
	err := row.Scan(&r.ID, &r.UserID, &r.LabSlug, &r.AssignmentID, &r.TeamID, &r.SubmissionID, &r.LabDigest, &created)
	r.CreatedAt = fromMillis(created)
	return r, err
}

// rackWhere is the condition that finds the one rack for something. The
// partial indexes of the table hold the same conditions.
func rackWhere(f labs.RackFor) (string, []any) {
	switch {
	case f.SubmissionID != 0:
		return `WHERE user_id = ? AND submission_id = ?`, []any{f.UserID, f.SubmissionID}
	case f.TeamID != 0:
		return `WHERE team_id = ?`, []any{f.TeamID}
	case f.AssignmentID != 0:
		return `WHERE assignment_id = ? AND user_id = ? AND team_id IS NULL`, []any{f.AssignmentID, f.UserID}
	}
	return `WHERE user_id = ? AND lab_slug = ? AND assignment_id IS NULL AND submission_id IS NULL`, []any{f.UserID, f.LabSlug}
}

// EnsureRack finds the rack for something, or records a new one with a new ID
// made from the lab's version digest. made says which it was: a rack that was
// there may have been made from another version.
func (db *DB) EnsureRack(ctx context.Context, f labs.RackFor, digest string) (r labs.RackRecord, made bool, err error) {
	// Nearly always it is there, and a reader sees it without the write lock.
	if r, err = db.RackOf(ctx, f); err == nil || labs.CodeOf(err) != labs.NotFound {
		return r, false, err
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO racks (id, user_id, lab_slug, assignment_id, team_id, submission_id, lab_digest, created_at)
			VALUES (?, ?, ?, nullif(?, 0), nullif(?, 0), nullif(?, 0), ?, ?) ON CONFLICT DO NOTHING`,
			labs.NewRackID(), f.UserID, f.LabSlug, f.AssignmentID, f.TeamID, f.SubmissionID, digest, millis(time.Now()))
		if err != nil {
			return conflict(err, "recording rack", "")
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("recording rack: %w", err)
		}
		made = n == 1
		where, args := rackWhere(f)
		if r, err = scanRack(tx.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks `+where, args...)); err != nil {
			return fmt.Errorf("recording rack: %w", err)
		}
		return nil
	})
	return r, made, err
}

// Rack finds a rack by ID.
func (db *DB) Rack(ctx context.Context, id string) (labs.RackRecord, error) {
	r, err := scanRack(db.r.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks WHERE id = ?`, id))
	return r, notFound(err, "finding rack", "rack")
}

// RackOf finds the rack for something.
func (db *DB) RackOf(ctx context.Context, f labs.RackFor) (labs.RackRecord, error) {
	where, args := rackWhere(f)
	r, err := scanRack(db.r.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks `+where, args...))
	return r, notFound(err, "finding rack", "rack")
}

// RacksOf lists the racks that a user owns, their teams' included, the newest first.
func (db *DB) RacksOf(ctx context.Context, userID int64) ([]labs.RackRecord, error) {
	return db.racks(ctx, `WHERE user_id = ?1 AND team_id IS NULL
		OR team_id IN (SELECT team_id FROM team_members AS m JOIN assignments ON assignments.id = m.assignment_id
			JOIN enrolments AS e ON e.course_id = assignments.course_id AND e.user_id = m.user_id WHERE m.user_id = ?1)`, userID)
}

// OwnsRack says whether a rack is a user's own, or that of a team they are in.
// Who has left the team that they began a rack for owns it no longer, and so
// does who has left the course: the rack is that of those who stay.
func (db *DB) OwnsRack(ctx context.Context, userID int64, r labs.RackRecord) (owns bool, err error) {
	if r.TeamID == 0 {
		return r.UserID == userID, nil
	}
	err = db.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM team_members AS m JOIN assignments ON assignments.id = m.assignment_id
		JOIN enrolments AS e ON e.course_id = assignments.course_id AND e.user_id = m.user_id WHERE m.team_id = ? AND m.user_id = ?)`,
		r.TeamID, userID).Scan(&owns)
	if err != nil {
		return false, fmt.Errorf("looking for a rack's owner in its team: %w", err)
	}
	return owns, nil
}

// RacksOfAssignment lists the racks that were begun for an assignment.
func (db *DB) RacksOfAssignment(ctx context.Context, assignmentID int64) ([]labs.RackRecord, error) {
	return db.racks(ctx, `WHERE assignment_id = ?`, assignmentID)
}

// Racks lists all racks, the newest first.
func (db *DB) Racks(ctx context.Context) ([]labs.RackRecord, error) {
	return db.racks(ctx, ``)
}

func (db *DB) racks(ctx context.Context, where string, args ...any) ([]labs.RackRecord, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+rackCols+` FROM racks `+where+` ORDER BY created_at DESC, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing racks: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.RackRecord, error) { return scanRack(rows) })
}

// SetRackDigest says that a rack was made anew from another version of its lab.
func (db *DB) SetRackDigest(ctx context.Context, id, digest string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE racks SET lab_digest = ? WHERE id = ?`, digest, id)
		return changed(res, err, "recording a rack's version", "rack")
	})
}

// DeleteRack forgets a rack. End its process and remove its folder first.
func (db *DB) DeleteRack(ctx context.Context, id string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM racks WHERE id = ?`, id)
		return changed(res, err, "deleting rack", "rack")
	})
}
