package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/param"
)

// parameterSecret is the name of the secret that parameters are drawn with. A
// backup without the database would draw others.
const parameterSecret = "parameters"

// LabFor gives a lab as one student, or their team when teamID is not 0, gets
// it: the same one each time. Its error is a *labs.Error with code Conflict
// when the lab has no value left for them.
func (db *DB) LabFor(ctx context.Context, l *labs.Lab, userID, teamID int64) (*labs.Lab, error) {
	if len(l.Parameters) == 0 {
		return l, nil
	}
	student := labs.StudentKey(userID, teamID)
	secret, err := db.Secret(ctx, parameterSecret)
	if err != nil {
		return nil, err
	}
	ordinal, err := db.Ordinal(ctx, l.Slug, student)
	if err != nil {
		return nil, err
	}
	own, err := l.For(param.Key{Secret: secret, Student: student, Ordinal: ordinal})
	if err != nil {
		return nil, &labs.Error{Code: labs.Conflict, Cause: err,
			Message: "This lab has no addresses or other values left for you. Please tell your instructor: a range of its parameters is too small."}
	}
	own.Digest = l.Digest // as the library knows the version
	return own, nil
}

// LabStudent is somebody whom a lab's parameters were drawn for.
type LabStudent struct {
	Key     string // labs.StudentKey
	Ordinal int
}

// LabStudents lists all whom a lab's parameters were drawn for, by number.
func (db *DB) LabStudents(ctx context.Context, slug string) ([]LabStudent, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT student, ordinal FROM lab_ordinals WHERE lab_slug = ? ORDER BY ordinal`, slug)
	if err != nil {
		return nil, fmt.Errorf("listing a lab's students: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (s LabStudent, err error) {
		err = rows.Scan(&s.Key, &s.Ordinal)
		return s, err
	})
}

// LabValues draws the parameters of a lab for students that LabStudents listed.
func (db *DB) LabValues(ctx context.Context, l *labs.Lab, students []LabStudent) (map[string][]param.Value, error) {
	secret, err := db.Secret(ctx, parameterSecret)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]param.Value, len(students))
	for _, s := range students {
		// What could be drawn is good, even if a range is used up.
		v, _ := param.Draw(l.Parameters, param.Key{Secret: secret, Lab: l.Slug, Student: s.Key, Ordinal: s.Ordinal})
		all[s.Key] = v.All()
	}
	return all, nil
}
