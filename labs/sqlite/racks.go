package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/patchbay/patchbay/labs"
)

const rackCols = `id, user_id, lab_slug, lab_digest, created_at`

func scanRack(row rowScanner) (labs.RackRecord, error) {
	var r labs.RackRecord
	var created int64
	err := row.Scan(&r.ID, &r.UserID, &r.LabSlug, &r.LabDigest, &created)
	r.CreatedAt = fromMillis(created)
	return r, err
}

// EnsureRack finds a user's rack for a lab, or records a new one with a new ID
// made from the lab's version digest. made says which it was: a rack that was
// there may have been made from another version.
func (db *DB) EnsureRack(ctx context.Context, userID int64, slug, digest string) (r labs.RackRecord, made bool, err error) {
	// Nearly always it is there, and a reader sees it without the write lock.
	if r, err = db.RackOf(ctx, userID, slug); err == nil || labs.CodeOf(err) != labs.NotFound {
		return r, false, err
	}
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO racks (`+rackCols+`) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, lab_slug) DO NOTHING`, labs.NewRackID(), userID, slug, digest, millis(time.Now()))
		if err != nil {
			return conflict(err, "recording rack", "")
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("recording rack: %w", err)
		}
		made = n == 1
		r, err = scanRack(tx.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks WHERE user_id = ? AND lab_slug = ?`, userID, slug))
		if err != nil {
			return fmt.Errorf("recording rack: %w", err)
		}
		return nil
	})
	return r, made, err
}

// Rack finds a rack by ID.
func (db *DB) Rack(ctx context.Context, id string) (labs.RackRecord, error) {
	r, err := scanRack(db.r.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks WHERE id = ?`, id))
	return r, notFound(err, "finding rack", "rack")
}

// RackOf finds a user's rack for a lab.
func (db *DB) RackOf(ctx context.Context, userID int64, slug string) (labs.RackRecord, error) {
	r, err := scanRack(db.r.QueryRowContext(ctx, `SELECT `+rackCols+` FROM racks WHERE user_id = ? AND lab_slug = ?`, userID, slug))
	return r, notFound(err, "finding rack", "rack")
}

// RacksOf lists a user's racks, the newest first.
func (db *DB) RacksOf(ctx context.Context, userID int64) ([]labs.RackRecord, error) {
	return db.racks(ctx, `WHERE user_id = ?`, userID)
}

// Racks lists all racks, the newest first.
func (db *DB) Racks(ctx context.Context) ([]labs.RackRecord, error) {
	return db.racks(ctx, ``)
}

func (db *DB) racks(ctx context.Context, where string, args ...any) ([]labs.RackRecord, error) {
	rows, err := db.r.QueryContext(ctx, `SELECT `+rackCols+` FROM racks `+where+` ORDER BY created_at DESC, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing racks: %w", err)
	}
	return scanAll(rows, func(rows *sql.Rows) (labs.RackRecord, error) { return scanRack(rows) })
}

// SetRackDigest says that a rack was made anew from another version of its lab.
func (db *DB) SetRackDigest(ctx context.Context, id, digest string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE racks SET lab_digest = ? WHERE id = ?`, digest, id)
		return changed(res, err, "recording a rack's version", "rack")
	})
}

// DeleteRack forgets a rack. End its process and remove its folder first.
func (db *DB) DeleteRack(ctx context.Context, id string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM racks WHERE id = ?`, id)
		return changed(res, err, "deleting rack", "rack")
	})
}
