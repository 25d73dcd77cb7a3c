-- Sections, assignments, teams, submissions and grades. Times are milliseconds
-- since 1970, UTC; NULL where there is none. Points are whatever the lab counts in.

-- +goose Up
CREATE TABLE sections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    course_id  INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL CHECK (name <> ''),
    join_code  TEXT    UNIQUE,                       -- NULL: closed
    created_at INTEGER NOT NULL,
    UNIQUE (course_id, name)
) STRICT;

ALTER TABLE enrolments ADD COLUMN section_id INTEGER REFERENCES sections (id) ON DELETE SET NULL;
CREATE INDEX enrolments_by_section ON enrolments (section_id);

CREATE TABLE assignments (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    course_id    INTEGER NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    title        TEXT    NOT NULL CHECK (title <> ''),
    lab_slug     TEXT    NOT NULL CHECK (lab_slug <> ''),
    lab_digest   TEXT    NOT NULL DEFAULT '',         -- '' is the newest version
    opens_at     INTEGER,                             -- NULL: at once
    due_at       INTEGER,                             -- NULL: never due
    closes_at    INTEGER,                             -- NULL: late work is taken for ever
    late_percent REAL    NOT NULL DEFAULT 0 CHECK (late_percent BETWEEN 0 AND 100), -- lost for each day begun
    late_floor   REAL    NOT NULL DEFAULT 0 CHECK (late_floor BETWEEN 0 AND 100),   -- percent that late work keeps at least
    attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),                  -- 0: as many as one likes
    counts       TEXT    NOT NULL DEFAULT 'best' CHECK (counts IN ('best', 'last')),
    team_size    INTEGER NOT NULL DEFAULT 1 CHECK (team_size >= 1),
    self_join    INTEGER NOT NULL DEFAULT 0 CHECK (self_join IN (0, 1)),            -- students make their teams
    points       REAL    NOT NULL DEFAULT 0 CHECK (points >= 0),                    -- what full marks are shown as; 0: the lab's own
    held         INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),                 -- grades wait for released_at
    released_at  INTEGER,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX assignments_by_course ON assignments (course_id);

CREATE TABLE extensions (
    assignment_id INTEGER NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    due_at        INTEGER,                            -- NULL: as for everybody
    closes_at     INTEGER,                            -- NULL: as for everybody, but not before due_at
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- more of them
    comment       TEXT    NOT NULL DEFAULT '',
    by_id         INTEGER NOT NULL REFERENCES users (id),
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (assignment_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    assignment_id INTEGER NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL CHECK (name <> ''),
    created_at    INTEGER NOT NULL,
    UNIQUE (assignment_id, name)
) STRICT;

CREATE TABLE team_members (
    assignment_id INTEGER NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team_id       INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    PRIMARY KEY (assignment_id, user_id)              -- one team an assignment
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_by_team ON team_members (team_id);

-- The number of a student among those of a lab, for parameters that no two share.
CREATE TABLE lab_ordinals (
    lab_slug TEXT    NOT NULL,
    student  TEXT    NOT NULL,                        -- "user 12", "team 7"
    ordinal  INTEGER NOT NULL CHECK (ordinal >= 0),
    PRIMARY KEY (lab_slug, student),
    UNIQUE (lab_slug, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE submissions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    assignment_id INTEGER NOT NULL REFERENCES assignments (id), -- it has a folder: removed first
    user_id       INTEGER NOT NULL REFERENCES users (id),       -- who handed in
    team_id       INTEGER REFERENCES teams (id),
    attempt       INTEGER NOT NULL CHECK (attempt >= 1),
    folder        TEXT    NOT NULL UNIQUE,            -- of the disks that were handed in
    lab_digest    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('taking', 'queued', 'grading', 'graded', 'failed')),
    regrade       INTEGER NOT NULL DEFAULT 0 CHECK (regrade IN (0, 1)), -- waits behind those that are new
    tries         INTEGER NOT NULL DEFAULT 0,
    score         REAL    NOT NULL DEFAULT 0,
    worth         REAL    NOT NULL DEFAULT 0,
    graded_at     INTEGER,                            -- NULL: never yet
    error         TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX submissions_by_assignment ON submissions (assignment_id);
CREATE INDEX submissions_by_state ON submissions (state, regrade, id);
CREATE UNIQUE INDEX submissions_of_user ON submissions (assignment_id, user_id, attempt) WHERE team_id IS NULL;
CREATE UNIQUE INDEX submissions_of_team ON submissions (team_id, attempt) WHERE team_id IS NOT NULL;

CREATE TABLE reports (
    submission_id INTEGER NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    boot          TEXT    NOT NULL CHECK (boot IN ('live', 'fresh')),
    report        BLOB    NOT NULL,                   -- grade.Report as JSON
    PRIMARY KEY (submission_id, boot)
) STRICT;

CREATE TABLE adjustments (
    assignment_id INTEGER NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL CHECK (kind IN ('add', 'set')),
    value         REAL    NOT NULL,
    comment       TEXT    NOT NULL CHECK (comment <> ''),
    by_id         INTEGER NOT NULL REFERENCES users (id),
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (assignment_id, user_id)
) STRICT, WITHOUT ROWID;

-- Every change of a grade; rows are only ever added.
CREATE TABLE grade_changes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    assignment_id INTEGER NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    by_id         INTEGER REFERENCES users (id),      -- NULL: the server
    created_at    INTEGER NOT NULL,
    why           TEXT    NOT NULL,
    comment       TEXT    NOT NULL DEFAULT '',
    old           REAL,                               -- NULL: there was no grade
    new           REAL                                -- NULL: there is none any more
) STRICT;
CREATE INDEX grade_changes_of ON grade_changes (assignment_id, user_id);

-- A rack is for practice, for an assignment, or a submission opened again by
-- staff. Nothing refers to racks, so the table can be made anew.
CREATE TABLE new_racks (
    id            TEXT    PRIMARY KEY,
    user_id       INTEGER NOT NULL REFERENCES users (id), -- a rack is a folder and a process: ended first, then its row
    lab_slug      TEXT    NOT NULL,
    lab_digest    TEXT    NOT NULL,
    assignment_id INTEGER REFERENCES assignments (id),
    team_id       INTEGER REFERENCES teams (id),          -- all its members own the rack
    submission_id INTEGER REFERENCES submissions (id),
    created_at    INTEGER NOT NULL,
    CHECK (team_id IS NULL OR assignment_id IS NOT NULL),
    CHECK (submission_id IS NULL OR assignment_id IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO new_racks (id, user_id, lab_slug, lab_digest, created_at)
    SELECT id, user_id, lab_slug, lab_digest, created_at FROM racks;
DROP TABLE racks;
ALTER TABLE new_racks RENAME TO racks;
CREATE UNIQUE INDEX racks_of_practice ON racks (user_id, lab_slug) WHERE assignment_id IS NULL AND submission_id IS NULL;
CREATE UNIQUE INDEX racks_of_assignment ON racks (assignment_id, user_id) WHERE assignment_id IS NOT NULL AND team_id IS NULL;
CREATE UNIQUE INDEX racks_of_team ON racks (team_id) WHERE team_id IS NOT NULL;
CREATE UNIQUE INDEX racks_of_submission ON racks (user_id, submission_id) WHERE submission_id IS NOT NULL;
