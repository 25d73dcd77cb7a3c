-- Times are milliseconds since 1970, UTC. Hashes are SHA-256 of secrets with
-- 130 random bits; passwords are Argon2id PHC strings.

-- +goose Up
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again for another person
    login         TEXT    NOT NULL UNIQUE CHECK (login <> '' AND login = lower(login)),
    name          TEXT    NOT NULL,
    email         TEXT    NOT NULL DEFAULT '',
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'instructor', 'student')),
    password_hash TEXT    NOT NULL DEFAULT '',       -- '' cannot log in by password
    disabled      INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    epoch         INTEGER NOT NULL DEFAULT 1,        -- sessions of an older epoch are over
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE courses (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    title      TEXT    NOT NULL CHECK (title <> ''),
    join_code  TEXT    UNIQUE,                       -- NULL: closed
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE enrolments (
    course_id  INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    staff      INTEGER NOT NULL DEFAULT 0 CHECK (staff IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (course_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolments_by_user ON enrolments (user_id);

CREATE TABLE course_labs (
    course_id INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    slug      TEXT    NOT NULL,
    PRIMARY KEY (course_id, position),
    UNIQUE (course_id, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE racks (
    id         TEXT    PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id), -- a rack is a folder and a process: ended first, then its row
    lab_slug   TEXT    NOT NULL,
    lab_digest TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (user_id, lab_slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,                              -- NULL: never
    last_used  INTEGER                               -- NULL: never
) STRICT;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

CREATE TABLE links (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX links_by_user ON links (user_id);

-- Browser sessions, in the form that alexedwards/scs stores them.
CREATE TABLE sessions (
    token  TEXT    PRIMARY KEY,
    data   BLOB    NOT NULL,
    expiry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expiry);

-- The server's own secrets, made when first asked for.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
