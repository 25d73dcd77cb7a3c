// Package migrations holds the database's schema as numbered SQL files, each
// with its goose "Up" part. A file that has landed is never changed: a change
// is a new file.
package migrations

import "embed"

// FS holds the SQL files at its root.
//
//go:embed *.sql
var FS embed.FS
