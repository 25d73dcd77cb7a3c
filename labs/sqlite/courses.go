package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const courseCols = `courses.id, courses.title, courses.join_code, courses.created_at`

func scanCourse(row rowScanner, more ...any) (labs.Course, error) {
	var c labs.Course
	var code sql.NullString
	var created int64
	err := row.Scan(append([]any{&c.ID, &c.Title, &code, &created}, more...)...)
	c.JoinCode, c.CreatedAt = code.String, fromMillis(created)
	return c, err
}

// CreateCourse makes a course with a join code and enrols its owner as staff.
// Invalid when the title is not in order.
func (db *DB) CreateCourse(ctx context.Context, title string, ownerID int64) (labs.Course, error) {
	title, err := labs.CleanCourseTitle(title)
	if err != nil {
		return labs.Course{}, err
	}
	now := millis(time.Now())
	c := labs.Course{Title: title, JoinCode: labs.NewJoinCode(), CreatedAt: fromMillis(now)}
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO courses (title, join_code, created_at) VALUES (?, ?, ?)`, c.Title, c.JoinCode, now)
		if err != nil {
			return fmt.Errorf("creating course: %w", err)
		}
		if c.ID, err = res.LastInsertId(); err != nil {
			return fmt.Errorf("creating course: %w", err)
		}
		return enrol(ctx, tx, c.ID, ownerID, true)
	})
	if err != nil {
		return labs.Course{}, err
	}
	return c, nil
}

// Course finds a course by ID.
func (db *DB) Course(ctx context.Context, id int64) (labs.Course, error) {
	c, err := scanCourse(db.r.QueryRowContext(ctx, `SELECT `+courseCols+` FROM courses WHERE id = ?`, id))
	return c, notFound(err, "finding course", "course")
}

// Courses lists all courses by title.
func (db *DB) Courses(ctx context.Context) ([]labs.Course, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+courseCols+` FROM courses ORDER BY title, id`)
	if err != nil {
		return nil, fmt.Errorf("listing courses: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.Course, error) { return scanCourse(rows) })
}

// CoursesOf lists the courses that a user is in, by title.
func (db *DB) CoursesOf(ctx context.Context, userID int64) ([]labs.MyCourse, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+courseCols+`, enrolments.staff FROM courses
		JOIN enrolments ON enrolments.course_id = courses.id WHERE enrolments.user_id = ? ORDER BY title, courses.id`, userID)
	if err != nil {
		return nil, fmt.Errorf("listing a user's courses: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (m labs.MyCourse, err error) {
		m.Course, err = scanCourse(rows, &m.Staff)
		return m, err
	})
}

// RenameCourse gives a course another title. Invalid when it is not in order.
func (db *DB) RenameCourse(ctx context.Context, courseID int64, title string) error {
	title, err := labs.CleanCourseTitle(title)
	if err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE courses SET title = ? WHERE id = ?`, title, courseID)
		return changed(res, err, "renaming course", "course")
	})
}

// RenewJoinCode gives a course another join code, so that the one before no
// longer works, or with open false none at all: its sections lose theirs, too.
func (db *DB) RenewJoinCode(ctx context.Context, courseID int64, open bool) (code string, err error) {
	if open {
		code = labs.NewJoinCode()
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		if !open {
			if _, err := tx.ExecContext(ctx, `UPDATE sections SET join_code = NULL WHERE course_id = ?`, courseID); err != nil {
				return fmt.Errorf("closing sections: %w", err)
			}
		}
		res, err := tx.ExecContext(ctx, `UPDATE courses SET join_code = nullif(?, '') WHERE id = ?`, code, courseID)
		return changed(res, err, "changing join code", "course")
	})
	return code, err
}

// Enrolment finds a user's place in a course; NotFound when they have none.
func (db *DB) Enrolment(ctx context.Context, courseID, userID int64) (labs.Enrolment, error) {
	e := labs.Enrolment{CourseID: courseID, UserID: userID}
	var created int64
	err := db.r.QueryRowContext(ctx, `SELECT staff, coalesce(section_id, 0), created_at FROM enrolments WHERE course_id = ? AND user_id = ?`,
		courseID, userID).Scan(&e.Staff, &e.SectionID, &created)
	e.CreatedAt = fromMillis(created)
	return e, notFound(err, "finding enrolment", "course")
}

// Enrol puts a user into a course, or changes whether they are its staff.
func (db *DB) Enrol(ctx context.Context, courseID, userID int64, staff bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		return enrol(ctx, tx, courseID, userID, staff)
	})
}

func enrol(ctx context.Context, tx *sql.Tx, courseID, userID int64, staff bool) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO enrolments (course_id, user_id, staff, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET staff = excluded.staff`, courseID, userID, staff, millis(time.Now()))
	return conflict(err, "enrolling", "")
}

// Join enrols a user, as a student, in the course with a join code, however it
// was typed; a section's code puts them into that section, too. Who is in it
// already stays what they are. NotFound when no course has that code.
func (db *DB) Join(ctx context.Context, userID int64, code string) (labs.Course, error) {
	var c labs.Course
	err := db.write(ctx, func(tx *sql.Tx) (err error) {
		var section int64
		if c, section, err = courseByCode(ctx, tx, code); err != nil {
			return err
		}
		return join(ctx, tx, c.ID, section, userID)
	})
	return c, err
}

// courseByCode finds a course by its code or that of one of its sections.
func courseByCode(ctx context.Context, tx *sql.Tx, code string) (c labs.Course, section int64, err error) {
	c, err = scanCourse(tx.QueryRowContext(ctx, `SELECT `+courseCols+`, coalesce(sections.id, 0) FROM courses
		LEFT JOIN sections ON sections.course_id = courses.id AND sections.join_code = nullif(?1, '')
		WHERE sections.id IS NOT NULL OR courses.join_code = nullif(?1, '') LIMIT 1`, labs.CleanJoinCode(code)), &section)
	return c, section, notFound(err, "finding course by join code", "join code")
}

// join enrols a student. A section's code puts into it who is in none, and no staff.
func join(ctx context.Context, tx *sql.Tx, courseID, sectionID, userID int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO enrolments (course_id, user_id, section_id, created_at) VALUES (?, ?, nullif(?, 0), ?)
		ON CONFLICT DO UPDATE SET section_id = excluded.section_id WHERE section_id IS NULL AND NOT staff`,
		courseID, userID, sectionID, millis(time.Now()))
	return conflict(err, "enrolling", "")
}

// Register makes a student of somebody who has a join code, and enrols them:
// both or neither. It sets u.Role, u.ID, u.Epoch and u.CreatedAt. NotFound when
// no course has the code, otherwise as CreateUser.
func (db *DB) Register(ctx context.Context, u *labs.User, passwordHash, code string) (labs.Course, error) {
	var c labs.Course
	u.Role, u.Disabled = labs.Student, false
	err := db.write(ctx, func(tx *sql.Tx) (err error) {
		// The code first: who has none is not to learn which logins are taken.
		var section int64
		if c, section, err = courseByCode(ctx, tx, code); err != nil {
			return err
		}
		if err := createUser(ctx, tx, u, passwordHash); err != nil {
			return err
		}
		return join(ctx, tx, c.ID, section, u.ID)
	})
	return c, err
}

// Leave takes a user out of a course. Their racks stay.
func (db *DB) Leave(ctx context.Context, courseID, userID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM enrolments WHERE course_id = ? AND user_id = ?`, courseID, userID)
		return changed(res, err, "leaving course", "enrolment")
	})
}

// Members lists a course's people, staff first, then by name.
func (db *DB) Members(ctx context.Context, courseID int64) ([]labs.Member, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+userCols+`, enrolments.staff, coalesce(enrolments.section_id, 0) FROM users
		JOIN enrolments ON enrolments.user_id = users.id WHERE enrolments.course_id = ?
		ORDER BY enrolments.staff DESC, users.name, users.login`, courseID)
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (m labs.Member, err error) {
		m.User, err = scanUser(rows, &m.Staff, &m.SectionID)
		return m, err
	})
}

// SetCourseLabs says which labs a course has, in their order. A lab named
// twice is taken once. Whether the slugs exist is for the caller to see to.
func (db *DB) SetCourseLabs(ctx context.Context, courseID int64, slugs []string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM course_labs WHERE course_id = ?`, courseID); err != nil {
			return fmt.Errorf("clearing a course's labs: %w", err)
		}
		for i, slug := range slugs {
			_, err := tx.ExecContext(ctx, `INSERT INTO course_labs (course_id, position, slug) VALUES (?, ?, ?)
				ON CONFLICT (course_id, slug) DO NOTHING`, courseID, i, slug)
			if err != nil {
				return conflict(err, "setting a course's labs", "")
			}
		}
		return nil
	})
}

// CourseLabs lists a course's labs in their order.
func (db *DB) CourseLabs(ctx context.Context, courseID int64) ([]labs.CourseLab, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT course_id, slug, position FROM course_labs WHERE course_id = ? ORDER BY position`, courseID)
	if err != nil {
		return nil, fmt.Errorf("listing a course's labs: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (l labs.CourseLab, err error) {
		return l, rows.Scan(&l.CourseID, &l.Slug, &l.Position)
	})
}

// HasLab says whether one of a user's courses has the lab.
func (db *DB) HasLab(ctx context.Context, userID int64, slug string) (has bool, err error) {
	err = db.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM course_labs
		JOIN enrolments USING (course_id) WHERE enrolments.user_id = ? AND course_labs.slug = ?)`, userID, slug).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("looking for a lab in a user's courses: %w", err)
	}
	return has, nil
}

// Teaches says whether staffID is staff of a course that userID is in.
func (db *DB) Teaches(ctx context.Context, staffID, userID int64) (yes bool, err error) {
	err = db.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM enrolments AS s
		JOIN enrolments AS u USING (course_id) WHERE s.user_id = ? AND s.staff AND u.user_id = ?)`, staffID, userID).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("looking for a course that one teaches the other: %w", err)
	}
	return yes, nil
}
