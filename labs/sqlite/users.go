package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const userCols = `users.id, users.login, users.name, users.email, users.role, users.disabled, users.epoch, users.created_at`

func scanUser(row rowScanner, more ...any) (labs.User, error) {
	var u labs.User
	var created int64
	dest := append([]any{&u.ID, &u.Login, &u.Name, &u.Email, &u.Role, &u.Disabled, &u.Epoch, &created}, more...)
	err := row.Scan(dest...)
	u.CreatedAt = fromMillis(created)
	return u, err
}

// CreateUser cleans and adds a user and sets its ID, Epoch and CreatedAt.
// passwordHash may be empty: then a link must set a password first.
// Invalid when a field is not in order, Conflict when the login is taken.
func (db *DB) CreateUser(ctx context.Context, u *labs.User, passwordHash string) error {
	return db.write(ctx, func(tx *sql.Tx) error { return createUser(ctx, tx, u, passwordHash) })
}

func createUser(ctx context.Context, tx *sql.Tx, u *labs.User, passwordHash string) error {
	if err := labs.CleanUser(u); err != nil {
		return err
	}
	now := time.Now()
	res, err := tx.ExecContext(ctx, `INSERT INTO users (login, name, email, role, password_hash, disabled, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, u.Login, u.Name, u.Email, u.Role, passwordHash, u.Disabled, millis(now))
	if err != nil {
		return conflict(err, "creating user", fmt.Sprintf("The login %q is taken.", u.Login))
	}
	if u.ID, err = res.LastInsertId(); err != nil {
		return fmt.Errorf("creating user: %w", err)
	}
	u.Epoch, u.CreatedAt = 1, fromMillis(millis(now))
	return nil
}

// User finds a user by ID.
func (db *DB) User(ctx context.Context, id int64) (labs.User, error) {
	u, err := scanUser(db.r.QueryRowContext(ctx, `SELECT `+userCols+` FROM users WHERE id = ?`, id))
	return u, notFound(err, "finding user", "user")
}

// UserByLogin finds a user by login, in whatever case, and with them the hash
// of their password, which is empty when they have none.
func (db *DB) UserByLogin(ctx context.Context, login string) (u labs.User, passwordHash string, err error) {
	u, err = scanUser(db.r.QueryRowContext(ctx,
		`SELECT `+userCols+`, users.password_hash FROM users WHERE login = lower(trim(?))`, login), &passwordHash)
	return u, passwordHash, notFound(err, "finding user", "user")
}

// Users lists all users by login.
func (db *DB) Users(ctx context.Context) ([]labs.User, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+userCols+` FROM users ORDER BY login`)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.User, error) { return scanUser(rows) })
}

// CountUsers counts all users, disabled ones included.
func (db *DB) CountUsers(ctx context.Context) (n int, err error) {
	if err := db.r.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting users: %w", err)
	}
	return n, nil
}

// UpdateUser cleans u and stores its Login, Name, Email, Role and Disabled.
// Disabling a user or changing their role ends their sessions, and u.Epoch is
// set accordingly. Conflict when the login is taken, or when this would leave
// no admin who can log in.
func (db *DB) UpdateUser(ctx context.Context, u *labs.User) error {
	if err := labs.CleanUser(u); err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		var last bool // the only one who can administer the server
		err := tx.QueryRowContext(ctx, `SELECT role = 'admin' AND NOT disabled AND NOT EXISTS (
				SELECT 1 FROM users WHERE role = 'admin' AND NOT disabled AND id <> ?1)
			FROM users WHERE id = ?1`, u.ID).Scan(&last)
		if err != nil {
			return notFound(err, "updating user", "user")
		}
		if last && (u.Role != labs.Admin || u.Disabled) {
			return labs.Errorf(labs.Conflict, "This would leave nobody who can administer the server.")
		}
		err = tx.QueryRowContext(ctx, `UPDATE users
			SET login = ?, name = ?, email = ?, role = ?, disabled = ?,
			    epoch = epoch + (role <> ? OR disabled < ?)
			WHERE id = ? RETURNING epoch`,
			u.Login, u.Name, u.Email, u.Role, u.Disabled, u.Role, u.Disabled, u.ID).Scan(&u.Epoch)
		return conflict(err, "updating user", fmt.Sprintf("The login %q is taken.", u.Login))
	})
}

// SetPassword stores the hash of a user's new password, ends their sessions
// and makes their one-time links useless.
func (db *DB) SetPassword(ctx context.Context, userID int64, hash string) error {
	return db.write(ctx, func(tx *sql.Tx) error { return setPassword(ctx, tx, userID, hash) })
}

func setPassword(ctx context.Context, tx *sql.Tx, userID int64, hash string) error {
	res, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ?, epoch = epoch + 1 WHERE id = ?`, hash, userID)
	if err := changed(res, err, "setting password", "user"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE user_id = ?`, userID); err != nil {
		return fmt.Errorf("deleting links: %w", err)
	}
	return nil
}

// EndSessions ends all sessions of a user; they may log in again.
func (db *DB) EndSessions(ctx context.Context, userID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE users SET epoch = epoch + 1 WHERE id = ?`, userID)
		return changed(res, err, "ending a user's sessions", "user")
	})
}

// RehashPassword replaces the hash of an unchanged password by a stronger one.
// Nothing happens when the hash is no longer old. Sessions go on.
func (db *DB) RehashPassword(ctx context.Context, userID int64, old, hash string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?`, hash, userID, old)
		if err != nil {
			return fmt.Errorf("renewing password hash: %w", err)
		}
		return nil
	})
}

// changed is NotFound when a statement that should have met a row met none.
func changed(res sql.Result, err error, doing, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if n == 0 {
		return labs.Errorf(labs.NotFound, "There is no such %s.", what)
	}
	return nil
}
