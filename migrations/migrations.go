// Package migrations holds the database's schema as numbered SQL files, each
// with its goose "Up" part. A file that has landed is never changed: a change
// is a new file.
//
// Each runs in a transaction with foreign keys on, where DROP TABLE first
// deletes all rows, and with them what refers to them by ON DELETE CASCADE. So
// a table that others refer to, such as users, is changed by ALTER TABLE, or
// made anew together with those that refer to it.
package migrations

import "embed"

// FS holds the SQL files at its root.
//
//go:embed *.sql
var FS embed.FS
