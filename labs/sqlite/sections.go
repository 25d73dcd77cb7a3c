package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// CreateSection makes a section of a course, with a join code. Conflict when
// the name is taken.
func (db *DB) CreateSection(ctx context.Context, courseID int64, name string) (s labs.Section, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		s, err = createSection(ctx, tx, courseID, name)
		return err
	})
	return s, err
}

func createSection(ctx context.Context, tx *sql.Tx, courseID int64, name string) (labs.Section, error) {
	name, err := labs.CleanSectionName(name)
	if err != nil {
		return labs.Section{}, err
	}
	now := millis(time.Now())
	s := labs.Section{CourseID: courseID, Name: name, JoinCode: labs.NewJoinCode(), CreatedAt: fromMillis(now)}
	res, err := tx.ExecContext(ctx, `INSERT INTO sections (course_id, name, join_code, created_at) VALUES (?, ?, ?, ?)`,
		courseID, name, s.JoinCode, now)
	if err != nil {
		return labs.Section{}, conflict(err, "creating section", fmt.Sprintf("There is a section %q already.", name))
	}
	if s.ID, err = res.LastInsertId(); err != nil {
		return labs.Section{}, fmt.Errorf("creating section: %w", err)
	}
	return s, nil
}

const sectionCols = `sections.id, sections.course_id, sections.name, coalesce(sections.join_code, ''), sections.created_at`

func scanSection(row rowScanner) (s labs.Section, err error) {
	var created int64
	err = row.Scan(&s.ID, &s.CourseID, &s.Name, &s.JoinCode, &created)
	s.CreatedAt = fromMillis(created)
	return s, err
}

// Sections lists a course's sections by name.
func (db *DB) Sections(ctx context.Context, courseID int64) ([]labs.Section, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+sectionCols+` FROM sections WHERE course_id = ? ORDER BY name`, courseID)
	if err != nil {
		return nil, fmt.Errorf("listing sections: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.Section, error) { return scanSection(rows) })
}

// RenameSection gives a section of a course another name.
func (db *DB) RenameSection(ctx context.Context, courseID, id int64, name string) error {
	name, err := labs.CleanSectionName(name)
	if err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sections SET name = ? WHERE id = ? AND course_id = ?`, name, id, courseID)
		if err != nil {
			return conflict(err, "renaming section", fmt.Sprintf("There is a section %q already.", name))
		}
		return changed(res, nil, "renaming section", "section")
	})
}

// RenewSectionCode gives a section of a course another join code, or with open
// false none.
func (db *DB) RenewSectionCode(ctx context.Context, courseID, id int64, open bool) (code string, err error) {
	if open {
		code = labs.NewJoinCode()
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sections SET join_code = nullif(?, '') WHERE id = ? AND course_id = ?`, code, id, courseID)
		return changed(res, err, "changing join code", "section")
	})
	return code, err
}

// DeleteSection deletes a section; its people stay in the course.
func (db *DB) DeleteSection(ctx context.Context, courseID, id int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM sections WHERE id = ? AND course_id = ?`, id, courseID)
		return changed(res, err, "deleting section", "section")
	})
}

// SetSection puts a member of a course into one of its sections, or with 0 into none.
func (db *DB) SetSection(ctx context.Context, courseID, userID, sectionID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error { return setSection(ctx, tx, courseID, userID, sectionID) })
}

func setSection(ctx context.Context, tx *sql.Tx, courseID, userID, sectionID int64) error {
	res, err := tx.ExecContext(ctx, `UPDATE enrolments SET section_id = nullif(?1, 0) WHERE course_id = ?2 AND user_id = ?3
		AND (?1 = 0 OR EXISTS (SELECT 1 FROM sections WHERE id = ?1 AND course_id = ?2))`, sectionID, courseID, userID)
	return changed(res, err, "choosing a section", "member or section")
}
