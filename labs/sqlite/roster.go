package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/patchbay/patchbay/labs"
)

// RosterRow is what importing an entry of a roster does, or has done.
type RosterRow struct {
	labs.RosterEntry
	User    labs.User // ID is 0 while it is only planned
	New     bool      // an account is made
	Member  bool      // is in the course already
	Moves   bool      // comes into Section, from another or none
	Problem string    // a sentence: why nothing is done
}

// PlanRoster says what ImportRoster would do, and changes nothing.
func (db *DB) PlanRoster(ctx context.Context, courseID int64, entries []labs.RosterEntry) ([]RosterRow, error) {
	return db.roster(ctx, courseID, entries, false)
}

// ImportRoster enrols students, and makes accounts, without a password, and
// sections that are not there. Who is in the course already stays, in the
// section that the roster names. All of it happens or nothing: when a row has
// a Problem, the error has code Invalid, and the rows say which.
func (db *DB) ImportRoster(ctx context.Context, courseID int64, entries []labs.RosterEntry) ([]RosterRow, error) {
	return db.roster(ctx, courseID, entries, true)
}

var errPlanned = errors.New("only planned")

func (db *DB) roster(ctx context.Context, courseID int64, entries []labs.RosterEntry, really bool) ([]RosterRow, error) {
	rows := make([]RosterRow, 0, len(entries))
	err := db.write(ctx, func(tx *sql.Tx) error {
		sections := map[string]int64{}
		taken := map[int64]int{} // user: line
		bad := 0
		for _, e := range entries {
			row, err := importEntry(ctx, tx, courseID, e, sections)
			if err != nil {
				return fmt.Errorf("importing line %d: %w", e.Line, err)
			}
			if first := taken[row.User.ID]; row.Problem == "" && first != 0 {
				row.Problem = fmt.Sprintf("It is the same person as in line %d.", first)
			}
			taken[row.User.ID] = e.Line
			if row.Problem != "" {
				bad++
			}
			if row.New && !really {
				row.User.ID = 0
			}
			rows = append(rows, row)
		}
		if !really {
			return errPlanned // the transaction is rolled back: the plan is what would have happened
		}
		if bad > 0 {
			return labs.Errorf(labs.Invalid, "Nothing was imported: some lines cannot be (%d).", bad)
		}
		return nil
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return rows, err
}

func importEntry(ctx context.Context, tx *sql.Tx, courseID int64, e labs.RosterEntry, sections map[string]int64) (RosterRow, error) {
	row := RosterRow{RosterEntry: e}
	u, err := rosterUser(ctx, tx, e)
	switch {
	case labs.CodeOf(err) == labs.NotFound:
		row.New, row.User = true, e.User()
		if err := createUser(ctx, tx, &row.User, ""); err != nil {
			return explain(row, err)
		}
	case err != nil:
		return explain(row, err)
	default:
		row.User = u
	}
	var before int64
	var staff bool
	err = tx.QueryRowContext(ctx, `SELECT coalesce(section_id, 0), staff FROM enrolments WHERE course_id = ? AND user_id = ?`,
		courseID, row.User.ID).Scan(&before, &staff)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return row, fmt.Errorf("finding enrolment: %w", err)
	}
	row.Member = err == nil
	if !row.Member && row.User.Role != labs.Student {
		// Staff of a course can look over its students' shoulders: nobody is to
		// make a student of somebody who teaches.
		row.Problem = "This is an instructor's account: they join by the course's code."
		return row, nil
	}
	if !row.Member {
		if err := join(ctx, tx, courseID, 0, row.User.ID); err != nil {
			return row, err
		}
	}
	if e.Section == "" || staff {
		return row, nil
	}
	id, err := sectionNamed(ctx, tx, courseID, e.Section, sections)
	if err != nil {
		return explain(row, err)
	}
	row.Moves = before != id
	return row, setSection(ctx, tx, courseID, row.User.ID, id)
}

// explain puts an error that is about the entry into its row.
func explain(row RosterRow, err error) (RosterRow, error) {
	switch labs.CodeOf(err) {
	case labs.Invalid, labs.Conflict:
		row.Problem = labs.MessageOf(err)
		return row, nil
	}
	return row, err
}

// rosterUser finds whose account an entry means: by its login, or without one
// by its address. NotFound when there is none.
func rosterUser(ctx context.Context, tx *sql.Tx, e labs.RosterEntry) (labs.User, error) {
	if e.Login != "" {
		u, err := scanUser(tx.QueryRowContext(ctx, `SELECT `+userCols+` FROM users WHERE login = ?`, e.Login))
		if err = notFound(err, "finding user", "user"); labs.CodeOf(err) != labs.NotFound {
			return u, err
		}
	}
	if e.Email == "" {
		return labs.User{}, labs.Errorf(labs.NotFound, "There is no such user.")
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+userCols+` FROM users WHERE lower(email) = ? LIMIT 2`, strings.ToLower(e.Email))
	if err != nil {
		return labs.User{}, fmt.Errorf("finding user by address: %w", err)
	}
	found, err := scanAll(rows, func(rows *sql.Rows) (labs.User, error) { return scanUser(rows) })
	switch {
	case err != nil:
		return labs.User{}, fmt.Errorf("finding user by address: %w", err)
	case len(found) == 0:
		return labs.User{}, labs.Errorf(labs.NotFound, "There is no such user.")
	case len(found) > 1:
		return labs.User{}, labs.Errorf(labs.Conflict, "Several accounts have this address: give the login, too.")
	case e.Login != "":
		return labs.User{}, labs.Errorf(labs.Conflict, "This address is that of %q here, another login.", found[0].Login)
	}
	return found[0], nil
}

func sectionNamed(ctx context.Context, tx *sql.Tx, courseID int64, name string, known map[string]int64) (int64, error) {
	if id := known[name]; id != 0 {
		return id, nil
	}
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM sections WHERE course_id = ? AND name = ?`, courseID, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var s labs.Section
		s, err = createSection(ctx, tx, courseID, name)
		id = s.ID
	}
	if err != nil {
		return 0, err
	}
	known[name] = id
	return id, nil
}
