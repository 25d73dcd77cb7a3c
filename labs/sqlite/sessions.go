package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Sessions keeps browser sessions for alexedwards/scs, as its CtxStore and
// IterableCtxStore. Set SessionManager.HashTokenInStore, so that who reads the
// file cannot become somebody else. The zero value is not usable; see
// DB.Sessions.
type Sessions struct{ db *DB }

// Sessions is the store of browser sessions.
func (db *DB) Sessions() *Sessions { return &Sessions{db} }

// FindCtx finds a session's data; exists is false when there is none or it has expired.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, exists bool, err error) {
	err = s.db.r.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token = ? AND expiry > ?`, token, millis(time.Now())).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("finding session: %w", err)
	}
	return data, true, nil
}

// CommitCtx adds or replaces a session.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (token, data, expiry) VALUES (?, ?, ?)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, token, data, millis(expiry))
		if err != nil {
			return fmt.Errorf("storing session: %w", err)
		}
		return nil
	})
}

// DeleteCtx deletes a session; it need not be there.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token = ?`, token); err != nil {
			return fmt.Errorf("deleting session: %w", err)
		}
		return nil
	})
}

// AllCtx gives the data of all sessions that have not expired, by token.
func (s *Sessions) AllCtx(ctx context.Context) (map[string][]byte, error) {
	rows, err := s.db.r.QueryContext(ctx, `SELECT token, data FROM sessions WHERE expiry > ?`, millis(time.Now()))
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	defer rows.Close()
	all := map[string][]byte{}
	for rows.Next() {
		var token string
		var data []byte
		if err := rows.Scan(&token, &data); err != nil {
			return nil, fmt.Errorf("listing sessions: %w", err)
		}
		all[token] = data
	}
	return all, rows.Err()
}

// Find is FindCtx without a context; scs asks for it and does not call it.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s *Sessions) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

// All is AllCtx without a context.
func (s *Sessions) All() (map[string][]byte, error) {
	return s.AllCtx(context.Background())
}

// Sweep deletes what has expired: sessions, links and tokens. Call it now and then.
func (db *DB) Sweep(ctx context.Context) error {
	now := millis(time.Now())
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`DELETE FROM sessions WHERE expiry <= ?`,
			`DELETE FROM links WHERE expires_at <= ?`,
			`DELETE FROM api_tokens WHERE expires_at <= ?`,
		} {
			if _, err := tx.ExecContext(ctx, q, now); err != nil {
				return fmt.Errorf("deleting what has expired: %w", err)
			}
		}
		return nil
	})
}

// Secret gives the server's secret of a name, 32 random bytes made when first
// asked for and the same ever after.
func (db *DB) Secret(ctx context.Context, name string) (value []byte, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, fresh); err != nil {
			return fmt.Errorf("making secret: %w", err)
		}
		if err := tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`, name).Scan(&value); err != nil {
			return fmt.Errorf("reading secret: %w", err)
		}
		return nil
	})
	return value, err
}
