package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const assignmentCols = `assignments.id, assignments.course_id, assignments.title, lab_slug, lab_digest, opens_at, due_at, closes_at,
	late_percent, late_floor, attempts, counts, team_size, self_join, points, held, released_at, assignments.created_at`

func scanAssignment(row rowScanner) (a labs.Assignment, err error) {
	var opens, due, closes, released sql.NullInt64
	var created int64
	err = row.Scan(&a.ID, &a.CourseID, &a.Title, &a.LabSlug, &a.LabDigest, &opens, &due, &closes,
		&a.Late.Percent, &a.Late.Floor, &a.Attempts, &a.Counts, &a.TeamSize, &a.SelfJoin, &a.Points, &a.Held, &released, &created)
	a.OpensAt, a.DueAt, a.ClosesAt, a.Released = fromNullMillis(opens), fromNullMillis(due), fromNullMillis(closes), fromNullMillis(released)
	a.CreatedAt = fromMillis(created)
	return a, err
}

// CreateAssignment cleans and adds an assignment and sets its ID and CreatedAt.
func (db *DB) CreateAssignment(ctx context.Context, a *labs.Assignment) error {
	if err := labs.CleanAssignment(a); err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		now := millis(time.Now())
		res, err := tx.ExecContext(ctx, `INSERT INTO assignments (course_id, title, lab_slug, lab_digest, opens_at, due_at, closes_at,
				late_percent, late_floor, attempts, counts, team_size, self_join, points, held, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			a.CourseID, a.Title, a.LabSlug, a.LabDigest, nullMillis(a.OpensAt), nullMillis(a.DueAt), nullMillis(a.ClosesAt),
			a.Late.Percent, a.Late.Floor, a.Attempts, a.Counts, a.TeamSize, a.SelfJoin, a.Points, a.Held, now)
		if err != nil {
			return conflict(err, "creating assignment", "")
		}
		a.CreatedAt = fromMillis(now)
		if a.ID, err = res.LastInsertId(); err != nil {
			return fmt.Errorf("creating assignment: %w", err)
		}
		return nil
	})
}

// UpdateAssignment cleans and stores an assignment's settings; its course, and
// whether grades are released, stay. Grades that follow from the settings
// change, and their history says by whom. Once somebody has begun, the lab
// stays as it is, and so does whether there are teams: Conflict.
func (db *DB) UpdateAssignment(ctx context.Context, a *labs.Assignment, byID int64) error {
	if err := labs.CleanAssignment(a); err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		before, err := assignment(ctx, tx, a.ID)
		if err != nil {
			return err
		}
		if before.LabSlug != a.LabSlug || before.Teams() != a.Teams() {
			begun, err := begun(ctx, tx, a.ID)
			if err != nil {
				return err
			}
			if begun {
				return labs.Errorf(labs.Conflict, "Students have begun: the lab, and whether they work in teams, cannot be changed any more.")
			}
		}
		return regrade(ctx, tx, change{assignment: a.ID, by: byID, why: "assignment changed"}, func() error {
			res, err := tx.ExecContext(ctx, `UPDATE assignments SET title = ?, lab_slug = ?, lab_digest = ?, opens_at = ?, due_at = ?, closes_at = ?,
					late_percent = ?, late_floor = ?, attempts = ?, counts = ?, team_size = ?, self_join = ?, points = ?, held = ? WHERE id = ?`,
				a.Title, a.LabSlug, a.LabDigest, nullMillis(a.OpensAt), nullMillis(a.DueAt), nullMillis(a.ClosesAt),
				a.Late.Percent, a.Late.Floor, a.Attempts, a.Counts, a.TeamSize, a.SelfJoin, a.Points, a.Held, a.ID)
			return changed(res, err, "changing assignment", "assignment")
		})
	})
}

func begun(ctx context.Context, q queryer, id int64) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM racks WHERE assignment_id = ?1)
		OR EXISTS (SELECT 1 FROM submissions WHERE assignment_id = ?1)`, id).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("looking whether an assignment was begun: %w", err)
	}
	return yes, nil
}

// DeleteAssignment deletes an assignment that nobody has begun; Conflict otherwise.
func (db *DB) DeleteAssignment(ctx context.Context, id int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		begun, err := begun(ctx, tx, id)
		if err != nil {
			return err
		}
		if begun {
			return labs.Errorf(labs.Conflict, "Students have begun this assignment, so it cannot be deleted. Close it instead.")
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM assignments WHERE id = ?`, id)
		return changed(res, err, "deleting assignment", "assignment")
	})
}

// ReleaseGrades shows an assignment's grades to its students, or hides them again.
func (db *DB) ReleaseGrades(ctx context.Context, id int64, show bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var at sql.NullInt64
		if show {
			at = nullMillis(time.Now())
		}
		res, err := tx.ExecContext(ctx, `UPDATE assignments SET released_at = ?, held = held OR ? WHERE id = ?`, at, !show, id)
		return changed(res, err, "releasing grades", "assignment")
	})
}

// Assignment finds an assignment by ID.
func (db *DB) Assignment(ctx context.Context, id int64) (labs.Assignment, error) {
	return assignment(ctx, db.r, id)
}

func assignment(ctx context.Context, q queryer, id int64) (labs.Assignment, error) {
	a, err := scanAssignment(q.QueryRowContext(ctx, `SELECT `+assignmentCols+` FROM assignments WHERE id = ?`, id))
	return a, notFound(err, "finding assignment", "assignment")
}

// Assignments lists a course's assignments, as they are due; those that never
// are come last.
func (db *DB) Assignments(ctx context.Context, courseID int64) ([]labs.Assignment, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+assignmentCols+` FROM assignments WHERE course_id = ?
		ORDER BY due_at IS NULL, due_at, id`, courseID)
	if err != nil {
		return nil, fmt.Errorf("listing assignments: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.Assignment, error) { return scanAssignment(rows) })
}

// Extend gives a student more time or attempts, in place of an extension from before.
func (db *DB) Extend(ctx context.Context, e labs.Extension) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		a, err := assignment(ctx, tx, e.AssignmentID)
		if err != nil {
			return err
		}
		if err := labs.CleanExtension(&a, &e); err != nil {
			return err
		}
		c := change{assignment: e.AssignmentID, by: e.ByID, why: "extension given", comment: e.Comment, always: e.UserID}
		return regrade(ctx, tx, c, func() error {
			_, err := tx.ExecContext(ctx, `INSERT INTO extensions (assignment_id, user_id, due_at, closes_at, attempts, comment, by_id, created_at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET due_at = excluded.due_at, closes_at = excluded.closes_at,
				attempts = excluded.attempts, comment = excluded.comment, by_id = excluded.by_id, created_at = excluded.created_at`,
				e.AssignmentID, e.UserID, nullMillis(e.DueAt), nullMillis(e.ClosesAt), e.Attempts, e.Comment, e.ByID, millis(time.Now()))
			return conflict(err, "extending assignment", "")
		})
	})
}

// Unextend takes an extension back.
func (db *DB) Unextend(ctx context.Context, assignmentID, userID, byID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		c := change{assignment: assignmentID, by: byID, why: "extension taken back", always: userID}
		return regrade(ctx, tx, c, func() error {
			res, err := tx.ExecContext(ctx, `DELETE FROM extensions WHERE assignment_id = ? AND user_id = ?`, assignmentID, userID)
			return changed(res, err, "taking an extension back", "extension")
		})
	})
}

// Extensions lists an assignment's extensions.
func (db *DB) Extensions(ctx context.Context, assignmentID int64) ([]labs.Extension, error) {
	return extensions(ctx, db.r, assignmentID)
}

func extensions(ctx context.Context, q rowsQueryer, assignmentID int64) ([]labs.Extension, error) {
	rows, err := q.QueryContext(ctx, `SELECT user_id, due_at, closes_at, attempts, comment, by_id, created_at
		FROM extensions WHERE assignment_id = ? ORDER BY user_id`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("listing extensions: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.Extension, error) {
		e := labs.Extension{AssignmentID: assignmentID}
		var due, closes sql.NullInt64
		var created int64
		err := rows.Scan(&e.UserID, &due, &closes, &e.Attempts, &e.Comment, &e.ByID, &created)
		e.DueAt, e.ClosesAt, e.CreatedAt = fromNullMillis(due), fromNullMillis(closes), fromMillis(created)
		return e, err
	})
}

// Ordinal is a student's number among those of a lab, from 0: the next one,
// for a student who has none yet. student is a labs.StudentKey.
func (db *DB) Ordinal(ctx context.Context, slug, student string) (n int, err error) {
	const find = `SELECT ordinal FROM lab_ordinals WHERE lab_slug = ? AND student = ?`
	if err := db.r.QueryRowContext(ctx, find, slug, student).Scan(&n); err == nil {
		return n, nil
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO lab_ordinals (lab_slug, student, ordinal)
			SELECT ?1, ?2, coalesce(max(ordinal) + 1, 0) FROM lab_ordinals WHERE lab_slug = ?1
			ON CONFLICT (lab_slug, student) DO NOTHING`, slug, student)
		if err != nil {
			return fmt.Errorf("numbering a student: %w", err)
		}
		return notFound(tx.QueryRowContext(ctx, find, slug, student).Scan(&n), "numbering a student", "number")
	})
	return n, err
}
