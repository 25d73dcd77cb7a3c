package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// book is all that the grades of one assignment are made of.
type book struct {
	assignment  labs.Assignment
	extensions  []labs.Extension
	team        map[int64]int64   // by user
	members     map[int64][]int64 // by team
	submissions []labs.Submission
	adjustments map[int64]labs.Adjustment
}

// readBook reads an assignment's book. With a user, the submissions are those
// alone that are theirs or their team's.
func readBook(ctx context.Context, q rowsQueryer, assignmentID, userID int64) (*book, error) {
	b := &book{team: map[int64]int64{}, members: map[int64][]int64{}, adjustments: map[int64]labs.Adjustment{}}
	var err error
	if b.assignment, err = assignment(ctx, q, assignmentID); err != nil {
		return nil, err
	}
	if b.extensions, err = extensions(ctx, q, assignmentID); err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, `SELECT user_id, team_id FROM team_members WHERE assignment_id = ?`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("reading teams: %w", err)
	}
	_, err = scanAll(rows, func(rows *sql.Rows) (int, error) {
		var user, team int64
		err := rows.Scan(&user, &team)
		b.team[user], b.members[team] = team, append(b.members[team], user)
		return 0, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading teams: %w", err)
	}
	if userID != 0 {
		b.submissions, err = submissions(ctx, q, ofUser, assignmentID, userID)
	} else {
		b.submissions, err = submissions(ctx, q, `assignment_id = ?`, assignmentID)
	}
	if err != nil {
		return nil, err
	}
	rows, err = q.QueryContext(ctx, `SELECT user_id, kind, value, comment, by_id, created_at FROM adjustments WHERE assignment_id = ?`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("reading adjustments: %w", err)
	}
	_, err = scanAll(rows, func(rows *sql.Rows) (int, error) {
		adj := labs.Adjustment{AssignmentID: assignmentID}
		var created int64
		err := rows.Scan(&adj.UserID, &adj.Kind, &adj.Value, &adj.Comment, &adj.ByID, &created)
		adj.CreatedAt = fromMillis(created)
		b.adjustments[adj.UserID] = adj
		return 0, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading adjustments: %w", err)
	}
	return b, nil
}

// window is a user's: with the extensions of all of their team.
func (b *book) window(userID int64) labs.Window {
	var theirs []labs.Extension
	team := b.team[userID]
	for _, e := range b.extensions {
		if e.UserID == userID || team != 0 && b.team[e.UserID] == team {
			theirs = append(theirs, e)
		}
	}
	return b.assignment.WindowFor(theirs...)
}

func (b *book) submissionsOf(userID int64) []labs.Submission {
	team := b.team[userID]
	var theirs []labs.Submission
	for _, s := range b.submissions {
		if s.TeamID == team && (team != 0 || s.UserID == userID) {
			theirs = append(theirs, s)
		}
	}
	return theirs
}

func (b *book) grade(userID int64) labs.Grade {
	var adj *labs.Adjustment
	if a, ok := b.adjustments[userID]; ok {
		adj = &a
	}
	return b.assignment.GradeOf(b.window(userID), b.submissionsOf(userID), adj)
}

// grades is everybody's who has one.
func (b *book) grades() map[int64]float64 {
	users := map[int64]bool{}
	for id := range b.team {
		users[id] = true
	}
	for id := range b.adjustments {
		users[id] = true
	}
	for _, s := range b.submissions {
		users[s.UserID] = true
	}
	points := map[int64]float64{}
	for id := range users {
		if g := b.grade(id); g.Has {
			points[id] = g.Points
		}
	}
	return points
}

// change is what a line of the history says, besides the grade.
type change struct {
	assignment, by int64
	why, comment   string
	always         int64 // a user whose history gets a line even when the grade stays
}

// regrade carries out what may change grades of an assignment, and writes each
// that it changed into the history. Whatever the change, the two agree.
func regrade(ctx context.Context, tx *sql.Tx, c change, do func() error) error {
	before, err := readBook(ctx, tx, c.assignment, 0)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := readBook(ctx, tx, c.assignment, 0)
	if err != nil {
		return err
	}
	old, now := before.grades(), after.grades()
	users := map[int64]bool{}
	for id := range old {
		users[id] = true
	}
	for id := range now {
		users[id] = true
	}
	if c.always != 0 {
		users[c.always] = true
	}
	at := millis(time.Now())
	for id := range users {
		x, hadOne := old[id]
		y, hasOne := now[id]
		if hadOne == hasOne && x == y && id != c.always {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO grade_changes (assignment_id, user_id, by_id, created_at, why, comment, old, new)
			VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, ?)`, c.assignment, id, c.by, at, c.why, c.comment,
			sql.NullFloat64{Float64: x, Valid: hadOne}, sql.NullFloat64{Float64: y, Valid: hasOne})
		if err != nil {
			return conflict(err, "writing a grade's history", "")
		}
	}
	return nil
}

// Adjust changes a student's grade by hand, in place of an adjustment from before.
func (db *DB) Adjust(ctx context.Context, adj labs.Adjustment) error {
	if err := labs.CleanAdjustment(&adj); err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		c := change{assignment: adj.AssignmentID, by: adj.ByID, why: "adjusted", comment: adj.Comment, always: adj.UserID}
		return regrade(ctx, tx, c, func() error {
			_, err := tx.ExecContext(ctx, `INSERT INTO adjustments (assignment_id, user_id, kind, value, comment, by_id, created_at)
				VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind, value = excluded.value,
				comment = excluded.comment, by_id = excluded.by_id, created_at = excluded.created_at`,
				adj.AssignmentID, adj.UserID, adj.Kind, adj.Value, adj.Comment, adj.ByID, millis(time.Now()))
			return conflict(err, "adjusting grade", "")
		})
	})
}

// Unadjust takes an adjustment back.
func (db *DB) Unadjust(ctx context.Context, assignmentID, userID, byID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		c := change{assignment: assignmentID, by: byID, why: "adjustment taken back", always: userID}
		return regrade(ctx, tx, c, func() error {
			res, err := tx.ExecContext(ctx, `DELETE FROM adjustments WHERE assignment_id = ? AND user_id = ?`, assignmentID, userID)
			return changed(res, err, "taking an adjustment back", "adjustment")
		})
	})
}

// GradeHistory lists all changes of a student's grade, the newest first.
func (db *DB) GradeHistory(ctx context.Context, assignmentID, userID int64) ([]labs.GradeChange, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT c.id, c.by_id, users.name, c.created_at, c.why, c.comment, c.old, c.new
		FROM grade_changes AS c LEFT JOIN users ON users.id = c.by_id
		WHERE c.assignment_id = ? AND c.user_id = ? ORDER BY c.id DESC`, assignmentID, userID)
	if err != nil {
		return nil, fmt.Errorf("reading a grade's history: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.GradeChange, error) {
		c := labs.GradeChange{AssignmentID: assignmentID, UserID: userID}
		var by sql.NullInt64
		var name sql.NullString
		var at int64
		var old, now sql.NullFloat64
		err := rows.Scan(&c.ID, &by, &name, &at, &c.Why, &c.Comment, &old, &now)
		c.ByID, c.By, c.At = by.Int64, name.String, fromMillis(at)
		if old.Valid {
			c.Old = &old.Float64
		}
		if now.Valid {
			c.New = &now.Float64
		}
		return c, err
	})
}

// Standing is a user's own side of an assignment.
type Standing struct {
	Window labs.Window
	TeamID int64 // 0: in none
	Grade  labs.Grade
	// Extended says that an extension, theirs or their team's, has moved something.
	Extended bool
}

// Standing finds how a user stands in an assignment.
func (db *DB) Standing(ctx context.Context, assignmentID, userID int64) (Standing, error) {
	all, err := db.Standings(ctx, assignmentID, userID)
	if err != nil {
		return Standing{}, err
	}
	return all[userID], nil
}

// Standings finds how users stand in an assignment.
func (db *DB) Standings(ctx context.Context, assignmentID int64, userIDs ...int64) (map[int64]Standing, error) {
	tx, err := db.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("reading grades: %w", err)
	}
	defer tx.Rollback() // it only reads
	var only int64
	if len(userIDs) == 1 {
		only = userIDs[0]
	}
	b, err := readBook(ctx, tx, assignmentID, only)
	if err != nil {
		return nil, err
	}
	all := make(map[int64]Standing, len(userIDs))
	for _, id := range userIDs {
		w := b.window(id)
		all[id] = Standing{Window: w, TeamID: b.team[id], Grade: b.grade(id), Extended: w != b.assignment.WindowFor()}
	}
	return all, nil
}
