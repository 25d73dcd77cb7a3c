package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// CreateTeam makes a team for an assignment. Conflict when its name is taken.
func (db *DB) CreateTeam(ctx context.Context, assignmentID int64, name string) (t labs.Team, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		t, err = createTeam(ctx, tx, assignmentID, name)
		return err
	})
	return t, err
}

func createTeam(ctx context.Context, tx *sql.Tx, assignmentID int64, name string) (labs.Team, error) {
	name, err := labs.CleanSectionName(name)
	if err != nil {
		return labs.Team{}, err
	}
	now := millis(time.Now())
	t := labs.Team{AssignmentID: assignmentID, Name: name, CreatedAt: fromMillis(now)}
	res, err := tx.ExecContext(ctx, `INSERT INTO teams (assignment_id, name, created_at) VALUES (?, ?, ?)`, assignmentID, name, now)
	if err != nil {
		return labs.Team{}, conflict(err, "creating team", fmt.Sprintf("There is a team %q already.", name))
	}
	if t.ID, err = res.LastInsertId(); err != nil {
		return labs.Team{}, fmt.Errorf("creating team: %w", err)
	}
	return t, nil
}

// CreateTeamWith makes a team with its first member: both or neither.
func (db *DB) CreateTeamWith(ctx context.Context, assignmentID int64, name string, userID int64) (t labs.Team, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		if t, err = createTeam(ctx, tx, assignmentID, name); err != nil {
			return err
		}
		return joinTeam(ctx, tx, t.ID, userID, userID)
	})
	return t, err
}

// JoinTeam puts a user into a team, out of the one they were in for the same
// assignment. Conflict when it is full. Who moves themselves (userID is byID)
// also gets it when either team has handed in, or when theirs has begun and
// has others; staff may move anybody.
func (db *DB) JoinTeam(ctx context.Context, teamID, userID, byID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error { return joinTeam(ctx, tx, teamID, userID, byID) })
}

func joinTeam(ctx context.Context, tx *sql.Tx, teamID, userID, byID int64) error {
	var assignmentID int64
	err := tx.QueryRowContext(ctx, `SELECT assignment_id FROM teams WHERE id = ?`, teamID).Scan(&assignmentID)
	if err != nil {
		return notFound(err, "finding team", "team")
	}
	a, err := assignment(ctx, tx, assignmentID)
	if err != nil {
		return err
	}
	var others int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM team_members WHERE team_id = ? AND user_id <> ?`, teamID, userID).Scan(&others)
	if err != nil {
		return fmt.Errorf("counting a team: %w", err)
	}
	if others >= a.TeamSize {
		return labs.Errorf(labs.Conflict, "This team is full: it has %d members.", others)
	}
	before, err := teamOf(ctx, tx, assignmentID, userID)
	if err != nil || before == teamID {
		return err
	}
	if userID == byID {
		if err := mayMove(ctx, tx, before, userID); err != nil {
			return err
		}
		if err := mayCome(ctx, tx, teamID); err != nil {
			return err
		}
	}
	return regrade(ctx, tx, change{assignment: assignmentID, by: byID, why: "team changed"}, func() error {
		_, err := tx.ExecContext(ctx, `INSERT INTO team_members (assignment_id, user_id, team_id) VALUES (?, ?, ?)
			ON CONFLICT (assignment_id, user_id) DO UPDATE SET team_id = excluded.team_id`, assignmentID, userID, teamID)
		if err != nil {
			return conflict(err, "joining team", "")
		}
		return dropEmpty(ctx, tx, before)
	})
}

// teamOf is the team that a user is in for an assignment; 0 for none.
func teamOf(ctx context.Context, q queryer, assignmentID, userID int64) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(team_id), 0) FROM team_members WHERE assignment_id = ? AND user_id = ?`,
		assignmentID, userID).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("finding a user's team: %w", err)
	}
	return id, nil
}

// mayMove keeps students from changing teams once theirs has handed in, since
// they would have two teams' attempts, and from taking along what they saw of
// others' work: who is alone in a team may leave what they began.
func mayMove(ctx context.Context, q queryer, teamID, userID int64) error {
	var handedIn, shared bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM submissions WHERE team_id = ?1),
		EXISTS (SELECT 1 FROM racks WHERE team_id = ?1) AND EXISTS (SELECT 1 FROM team_members WHERE team_id = ?1 AND user_id <> ?2)`,
		teamID, userID).Scan(&handedIn, &shared)
	if err != nil {
		return fmt.Errorf("looking for a team's work: %w", err)
	}
	switch {
	case handedIn:
		return labs.Errorf(labs.Conflict, "Your team has handed in. Ask your instructor if you must change it.")
	case shared:
		return labs.Errorf(labs.Conflict, "Your team has begun to work. Ask your instructor if you must change it.")
	}
	return nil
}

// mayCome keeps students from joining a team for the grade that it has.
func mayCome(ctx context.Context, q queryer, teamID int64) error {
	var handedIn bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM submissions WHERE team_id = ?)`, teamID).Scan(&handedIn)
	if err != nil {
		return fmt.Errorf("looking for a team's submissions: %w", err)
	}
	if handedIn {
		return labs.Errorf(labs.Conflict, "This team has handed in already. Ask your instructor if you belong to it.")
	}
	return nil
}

// dropEmpty deletes a team that its last member has left, if it has begun nothing.
func dropEmpty(ctx context.Context, tx *sql.Tx, teamID int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM teams WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM team_members WHERE team_id = ?1)
		AND NOT EXISTS (SELECT 1 FROM racks WHERE team_id = ?1) AND NOT EXISTS (SELECT 1 FROM submissions WHERE team_id = ?1)`, teamID)
	if err != nil {
		return fmt.Errorf("deleting an empty team: %w", err)
	}
	return nil
}

// LeaveTeam takes a user out of their team. A team without members that has
// begun nothing is gone. byID as for JoinTeam.
func (db *DB) LeaveTeam(ctx context.Context, assignmentID, userID, byID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		before, err := teamOf(ctx, tx, assignmentID, userID)
		if err != nil {
			return err
		}
		if userID == byID {
			if err := mayMove(ctx, tx, before, userID); err != nil {
				return err
			}
		}
		return regrade(ctx, tx, change{assignment: assignmentID, by: byID, why: "team changed"}, func() error {
			res, err := tx.ExecContext(ctx, `DELETE FROM team_members WHERE assignment_id = ? AND user_id = ?`, assignmentID, userID)
			if err := changed(res, err, "leaving team", "member"); err != nil {
				return err
			}
			return dropEmpty(ctx, tx, before)
		})
	})
}

// Team finds a team by ID.
func (db *DB) Team(ctx context.Context, id int64) (labs.Team, error) {
	var assignmentID int64
	err := db.r.QueryRowContext(ctx, `SELECT assignment_id FROM teams WHERE id = ?`, id).Scan(&assignmentID)
	if err != nil {
		return labs.Team{}, notFound(err, "finding team", "team")
	}
	all, err := db.Teams(ctx, assignmentID)
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	if err == nil {
		err = labs.Errorf(labs.NotFound, "There is no such team.")
	}
	return labs.Team{}, err
}

// Teams lists an assignment's teams by name.
func (db *DB) Teams(ctx context.Context, assignmentID int64) ([]labs.Team, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT id, name, created_at FROM teams WHERE assignment_id = ? ORDER BY name`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	teams, err := scanAll(rows, func(rows *sql.Rows) (labs.Team, error) {
		t := labs.Team{AssignmentID: assignmentID}
		var created int64
		err := rows.Scan(&t.ID, &t.Name, &created)
		t.CreatedAt = fromMillis(created)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	at := make(map[int64]*labs.Team, len(teams))
	for i := range teams {
		at[teams[i].ID] = &teams[i]
	}
	rows, err = db.r.QueryContext(ctx, `SELECT `+userCols+`, team_members.team_id FROM users
		JOIN team_members ON team_members.user_id = users.id WHERE team_members.assignment_id = ? ORDER BY users.name, users.login`, assignmentID)
	if err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	_, err = scanAll(rows, func(rows *sql.Rows) (int, error) {
		var team int64
		u, err := scanUser(rows, &team)
		if t := at[team]; t != nil {
			t.Members = append(t.Members, u)
		}
		return 0, err
	})
	return teams, err
}
