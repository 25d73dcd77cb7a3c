package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/patchbay/patchbay/labs"
)

// maxTokens is how many API tokens a user may have.
const maxTokens = 50

// CreateToken makes an API token for a user and gives its secret, which is not
// kept. expires may be zero: never. Invalid when the name is empty or long,
// Conflict when the user has 50 of them.
func (db *DB) CreateToken(ctx context.Context, userID int64, name string, expires time.Time) (t labs.APIToken, secret string, err error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > labs.MaxNameLen {
		return t, "", labs.Errorf(labs.Invalid, "A token needs a name of at most %d characters that says what it is for.", labs.MaxNameLen)
	}
	secret = labs.NewSecret()
	now := millis(time.Now())
	t = labs.APIToken{UserID: userID, Name: name, CreatedAt: fromMillis(now), ExpiresAt: fromNullMillis(nullMillis(expires))}
	err = db.write(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM api_tokens WHERE user_id = ?`, userID).Scan(&n); err != nil {
			return fmt.Errorf("counting tokens: %w", err)
		}
		if n >= maxTokens {
			return labs.Errorf(labs.Conflict, "You have %d tokens: delete one first.", n)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO api_tokens (user_id, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
			userID, name, labs.HashSecret(secret), now, nullMillis(expires))
		if err != nil {
			return conflict(err, "creating token", "")
		}
		t.ID, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return labs.APIToken{}, "", err
	}
	return t, secret, nil
}

// Tokens lists a user's API tokens, the newest first.
func (db *DB) Tokens(ctx context.Context, userID int64) ([]labs.APIToken, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT id, user_id, name, created_at, expires_at, last_used
		FROM api_tokens WHERE user_id = ? ORDER BY id DESC`, userID)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (t labs.APIToken, err error) {
		var created int64
		var expires, used sql.NullInt64
		err = rows.Scan(&t.ID, &t.UserID, &t.Name, &created, &expires, &used)
		t.CreatedAt, t.ExpiresAt, t.LastUsed = fromMillis(created), fromNullMillis(expires), fromNullMillis(used)
		return t, err
	})
}

// DeleteToken deletes one of a user's API tokens.
func (db *DB) DeleteToken(ctx context.Context, userID, tokenID int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM api_tokens WHERE id = ? AND user_id = ?`, tokenID, userID)
		return changed(res, err, "deleting token", "token")
	})
}

// UserByToken finds the user whom a token's secret belongs to. Unauthenticated
// when there is none, it has expired, or the user is disabled.
func (db *DB) UserByToken(ctx context.Context, secret string) (labs.User, error) {
	now := millis(time.Now())
	var id int64
	var used sql.NullInt64
	u, err := scanUser(db.r.QueryRowContext(ctx, `SELECT `+userCols+`, api_tokens.id, api_tokens.last_used FROM users
		JOIN api_tokens ON api_tokens.user_id = users.id
		WHERE api_tokens.hash = ? AND NOT users.disabled AND (api_tokens.expires_at IS NULL OR api_tokens.expires_at > ?)`,
		labs.HashSecret(secret), now), &id, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return labs.User{}, labs.Errorf(labs.Unauthenticated, "This token is not valid (any more).")
	}
	if err != nil {
		return labs.User{}, fmt.Errorf("finding token: %w", err)
	}
	// Exact to a minute, so that a busy script does not write at each request.
	if now-used.Int64 >= time.Minute.Milliseconds() {
		err := db.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE api_tokens SET last_used = ? WHERE id = ?`, now, id)
			return err
		})
		if err != nil {
			return labs.User{}, fmt.Errorf("noting a token's use: %w", err)
		}
	}
	return u, nil
}

// CreateLink makes a one-time link for a user to set a password with, and
// gives its secret, which is not kept. Links of theirs from before no longer work.
func (db *DB) CreateLink(ctx context.Context, userID int64, valid time.Duration) (l labs.OneTimeLink, secret string, err error) {
	secret = labs.NewSecret()
	now := time.Now()
	l = labs.OneTimeLink{UserID: userID, CreatedAt: fromMillis(millis(now)), ExpiresAt: fromMillis(millis(now.Add(valid)))}
	err = db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE user_id = ? OR expires_at <= ?`, userID, millis(now)); err != nil {
			return fmt.Errorf("deleting old links: %w", err)
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO links (user_id, hash, created_at, expires_at) VALUES (?, ?, ?, ?)`,
			userID, labs.HashSecret(secret), millis(l.CreatedAt), millis(l.ExpiresAt))
		if err != nil {
			return conflict(err, "creating link", "")
		}
		l.ID, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return labs.OneTimeLink{}, "", err
	}
	return l, secret, nil
}

// UserByLink finds whom a link's secret belongs to, without using it up.
// NotFound when it is unknown, used or expired, or the user disabled.
func (db *DB) UserByLink(ctx context.Context, secret string) (labs.User, error) {
	return userByLink(ctx, db.r, secret)
}

type queryer interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func userByLink(ctx context.Context, q queryer, secret string) (labs.User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userCols+` FROM users JOIN links ON links.user_id = users.id
		WHERE links.hash = ? AND links.expires_at > ? AND NOT users.disabled`, labs.HashSecret(secret), millis(time.Now())))
	if errors.Is(err, sql.ErrNoRows) {
		return labs.User{}, labs.Errorf(labs.NotFound, "This link has been used or has expired: ask for a new one.")
	}
	if err != nil {
		return labs.User{}, fmt.Errorf("finding link: %w", err)
	}
	return u, nil
}

// UseLink sets a user's password by a link's secret and uses the link up, both
// or neither; of two at the same time one succeeds. The user comes back with
// their new Epoch. NotFound as UserByLink.
func (db *DB) UseLink(ctx context.Context, secret, passwordHash string) (u labs.User, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		if u, err = userByLink(ctx, tx, secret); err != nil {
			return err
		}
		u.Epoch++
		return setPassword(ctx, tx, u.ID, passwordHash)
	})
	return u, err
}
