-- +goose Up

-- Labs whose checks all passed while somebody was at work in them: what a
-- course map shows as done. A grade is made of submissions, never of this.
CREATE TABLE passes (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    lab_slug   TEXT    NOT NULL,
    lab_digest TEXT    NOT NULL,                      -- the version that it was last
    passed_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, lab_slug)
) STRICT, WITHOUT ROWID;
