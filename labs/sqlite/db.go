// Package sqlite keeps Patchbay's people, courses, racks and sessions in one
// SQLite file.
//
// Writing goes through one connection, whose transactions take the write lock
// when they begin, so that writers queue up here instead of failing with
// SQLITE_BUSY half-way. Readers have a pool of their own beside it and, the
// file being in WAL mode, neither wait for the writer nor hold it up.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/migrations"
)

// busyTimeout is how long a connection waits for another process, such as a
// `patchbay user` beside the server. Within a process nobody waits on it.
const busyTimeout = 10 * time.Second

// DB is the database. It is safe for use by several goroutines; whoever opened
// it must Close it. Every method that is asked for something that is not there
// returns a *labs.Error with code NotFound.
type DB struct {
	w *sql.DB // one connection, BEGIN IMMEDIATE
	r *sql.DB // read-only connections
}

// Open opens the database at path, makes it when it is not there, readable by
// its owner alone, and brings its schema up to date.
func Open(ctx context.Context, path string) (_ *DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	if err := secureFile(path); err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}

	db := &DB{}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if db.w, err = sql.Open("sqlite3", dsn(path, "_txlock=immediate&_journal_mode=WAL&_synchronous=NORMAL")); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	db.w.SetMaxOpenConns(1)
	db.w.SetMaxIdleConns(1)
	if err := db.migrate(ctx, filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	if db.r, err = sql.Open("sqlite3", dsn(path, "mode=ro&_query_only=true")); err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	db.r.SetMaxOpenConns(readers)
	db.r.SetMaxIdleConns(readers)
	if err := db.r.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("opening database %s for reading: %w", path, err)
	}
	return db, nil
}

// secureFile makes the file when it is not there and keeps others from it.
// SQLite gives its -wal and -shm files the mode of the database. A file that
// is there is not opened: closing it would drop the locks of every connection
// that this process has to it.
func secureFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func dsn(path, more string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: fmt.Sprintf(
		"_foreign_keys=true&_busy_timeout=%d&%s", busyTimeout.Milliseconds(), more)}
	return u.String()
}

// migrate brings the schema up to date. Of two processes that open a database
// at once, such as the server and a `patchbay user`, one waits for the other:
// they take turns by a lock on the folder that the database lies in, which
// ends with the process that holds it.
func (db *DB) migrate(ctx context.Context, dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("locking the folder: %w", err)
	}
	defer d.Close()
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the folder: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.w, migrations.FS)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// Close folds the write-ahead log into the file and closes it. Calls under way
// are waited for.
func (db *DB) Close() error {
	var errs []error
	if db.r != nil {
		errs = append(errs, db.r.Close())
	}
	if db.w != nil {
		// The last connection to close would checkpoint too, but in silence.
		if _, err := db.w.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			errs = append(errs, fmt.Errorf("checkpointing: %w", err))
		}
		errs = append(errs, db.w.Close())
	}
	return errors.Join(errs...)
}

// write runs f in a transaction that holds the write lock from its start.
func (db *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning to write: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// rowScanner is a *sql.Row or a *sql.Rows.
type rowScanner interface{ Scan(...any) error }

func scanAll[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// notFound turns sql.ErrNoRows into a labs.Error and wraps any other error.
func notFound(err error, doing, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return labs.Errorf(labs.NotFound, "There is no such %s.", what)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// conflict turns a violated UNIQUE or FOREIGN KEY into a labs.Error.
func conflict(err error, doing, message string) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok {
		switch e.ExtendedCode {
		case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey:
			return labs.Errorf(labs.Conflict, "%s", message)
		case sqlite3.ErrConstraintForeignKey:
			return labs.Errorf(labs.NotFound, "What this refers to is not there (any more).")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func nullMillis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func fromNullMillis(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return fromMillis(n.Int64)
}
