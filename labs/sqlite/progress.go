package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Progress is how far somebody is with labs, by their slugs.
type Progress struct {
	Has      map[string]bool  // one of their courses has it to practise
	Assigned map[string]int64 // an assignment of theirs that has opened and is of it, the newest
	Started  map[string]bool  // they, or their team, have a rack of it
	Passed   map[string]bool  // all checks that they see passed, see SetPassed
	Graded   map[string]bool  // something that they handed in was graded
}

// ProgressOf finds how far a user is.
func (db *DB) ProgressOf(ctx context.Context, userID int64) (Progress, error) {
	p := Progress{Assigned: map[string]int64{}}
	tx, err := db.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return p, fmt.Errorf("reading progress: %w", err)
	}
	defer tx.Rollback() // it only reads
	for to, query := range map[*map[string]bool]string{
		&p.Has: `SELECT DISTINCT slug FROM course_labs JOIN enrolments USING (course_id) WHERE user_id = ?1`,
		&p.Started: `SELECT DISTINCT lab_slug FROM racks WHERE submission_id IS NULL AND (user_id = ?1 AND team_id IS NULL
			OR team_id IN (SELECT team_id FROM team_members WHERE user_id = ?1))`,
		&p.Passed: `SELECT lab_slug FROM passes WHERE user_id = ?1`,
		&p.Graded: `SELECT DISTINCT lab_slug FROM submissions AS s JOIN assignments AS a ON a.id = s.assignment_id
			WHERE s.graded_at IS NOT NULL AND (s.user_id = ?1 AND s.team_id IS NULL
				OR s.team_id IN (SELECT team_id FROM team_members WHERE user_id = ?1))`,
	} {
		if *to, err = slugSet(ctx, tx, query, userID); err != nil {
			return p, fmt.Errorf("reading progress: %w", err)
		}
	}
	rows, err := tx.QueryContext(ctx, `SELECT lab_slug, max(assignments.id) FROM assignments JOIN enrolments USING (course_id)
		WHERE user_id = ? AND coalesce(opens_at, 0) <= ? GROUP BY lab_slug`, userID, millis(time.Now()))
	if err != nil {
		return p, fmt.Errorf("reading progress: %w", err)
	}
	type assigned struct {
		slug string
		id   int64
	}
	all, err := scanAll(rows, func(rows *sql.Rows) (a assigned, err error) { return a, rows.Scan(&a.slug, &a.id) })
	for _, a := range all {
		p.Assigned[a.slug] = a.id
	}
	return p, err
}

func slugSet(ctx context.Context, tx *sql.Tx, query string, userID int64) (map[string]bool, error) {
	rows, err := tx.QueryContext(ctx, query, userID)
	if err != nil {
		return nil, err
	}
	slugs, err := scanAll(rows, func(rows *sql.Rows) (slug string, err error) { return slug, rows.Scan(&slug) })
	set := make(map[string]bool, len(slugs))
	for _, slug := range slugs {
		set[slug] = true
	}
	return set, err
}

// SetPassed records that all checks of a lab that a user sees passed.
func (db *DB) SetPassed(ctx context.Context, userID int64, slug, digest string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO passes (user_id, lab_slug, lab_digest, passed_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id, lab_slug) DO UPDATE SET lab_digest = excluded.lab_digest, passed_at = excluded.passed_at`,
			userID, slug, digest, millis(time.Now()))
		return conflict(err, "recording what passed", "")
	})
}

// AddCourseLab makes a lab the last of a course's, unless the course has it.
// Whether the slug exists is for the caller to see to.
func (db *DB) AddCourseLab(ctx context.Context, courseID int64, slug string) (added bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO course_labs (course_id, position, slug)
			SELECT ?1, coalesce(max(position), -1) + 1, ?2 FROM course_labs WHERE course_id = ?1
			ON CONFLICT (course_id, slug) DO NOTHING`, courseID, slug)
		if err != nil {
			return conflict(err, "adding a lab to a course", "")
		}
		n, err := res.RowsAffected()
		added = n == 1
		return err
	})
	return added, err
}
