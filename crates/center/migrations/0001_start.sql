-- Everything the centre keeps. Times are milliseconds since 1970 in UTC. Identifiers are never used again after a deletion
-- (AUTOINCREMENT), because the outbox's keys hold them.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL UNIQUE, -- lower case: addresses are compared without regard to case
    search_key    TEXT    NOT NULL,        -- name and address, lower case, without diacritics
    language      TEXT    NOT NULL CHECK (language IN ('cs', 'en')),
    password_hash TEXT,                    -- without one a person gets mail but cannot sign in
    source        TEXT    NOT NULL CHECK (source IN ('manual', 'import')),
    active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created       INTEGER NOT NULL,
    updated       INTEGER NOT NULL
) STRICT;

CREATE TABLE groups (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    identifier     TEXT    NOT NULL,
    identifier_key TEXT    NOT NULL UNIQUE,
    builtin        INTEGER NOT NULL DEFAULT 0 CHECK (builtin IN (0, 1))
) STRICT;

INSERT INTO groups (identifier, identifier_key, builtin) VALUES
    ('System', 'system', 1), ('Everyone', 'everyone', 1), ('Administrator', 'administrator', 1);

CREATE TRIGGER builtin_groups_stay BEFORE DELETE ON groups WHEN old.builtin = 1
BEGIN SELECT RAISE(ABORT, 'a built-in group cannot be deleted'); END;
CREATE TRIGGER builtin_groups_keep_their_names BEFORE UPDATE ON groups WHEN old.builtin = 1
BEGIN SELECT RAISE(ABORT, 'a built-in group cannot be changed'); END;

CREATE TABLE memberships (
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_group ON memberships (group_id, user_id);

CREATE TRIGGER everyone_is_no_list BEFORE INSERT ON memberships
WHEN (SELECT identifier_key FROM groups WHERE id = new.group_id) = 'everyone'
BEGIN SELECT RAISE(ABORT, 'Everyone is computed, never a list'); END;

-- All active people: service accounts are no people.
CREATE VIEW everyone AS
SELECT id FROM users
WHERE active = 1 AND NOT EXISTS (
    SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
    WHERE m.user_id = users.id AND g.identifier_key = 'system');

CREATE TABLE sessions (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created    INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Failed sign-ins, counted for the rate limit.
CREATE TABLE sign_in_attempts (
    key TEXT    NOT NULL, -- an address or an account, as the page chooses
    at  INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_attempts_by_key ON sign_in_attempts (key, at);

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    detail TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;

-- How far the engine's events have been turned into mails. `epoch` counts up when the engine's journal was replaced by another.
CREATE TABLE event_cursor (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    epoch  INTEGER NOT NULL
) STRICT;
INSERT INTO event_cursor VALUES (1, 0, 0);

-- What the mails need to know of an update when it ends, kept from the events of its beginning. A click is the update that
-- an administrator started; required stops make several updates of it.
CREATE TABLE updates_seen (
    epoch         INTEGER NOT NULL,
    update_id     INTEGER NOT NULL,
    click         INTEGER NOT NULL, -- the first update of the click
    hop           INTEGER NOT NULL,
    first_version TEXT    NOT NULL, -- before the click
    from_version  TEXT    NOT NULL,
    to_version    TEXT    NOT NULL,
    target        TEXT    NOT NULL, -- where the click is to end
    is_last       INTEGER NOT NULL CHECK (is_last IN (0, 1)),
    actor         TEXT    NOT NULL,
    announced     INTEGER NOT NULL DEFAULT 0 CHECK (announced IN (0, 1)), -- everyone was told that the click began
    PRIMARY KEY (epoch, update_id)
) STRICT, WITHOUT ROWID;

-- A text, once for all who get it in this language.
CREATE TABLE letters (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL,
    language       TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    text           TEXT    NOT NULL,
    html           TEXT    NOT NULL,
    reply_to       TEXT,
    message_domain TEXT    NOT NULL, -- right side of the Message-IDs; fixed here so that a retry has the same one
    created        INTEGER NOT NULL
) STRICT;

CREATE TABLE attachments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    letter_id  INTEGER NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    content    BLOB    NOT NULL
) STRICT;
CREATE INDEX attachments_by_letter ON attachments (letter_id);

CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    dedup        TEXT    NOT NULL UNIQUE, -- what it announces to whom; the Message-ID is made of it
    letter_id    INTEGER NOT NULL REFERENCES letters (id),
    update_id    INTEGER,
    user_id      INTEGER REFERENCES users (id) ON DELETE SET NULL,
    recipient    TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL,
    last_error   TEXT,
    created      INTEGER NOT NULL,
    sent_at      INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (state, next_attempt, id);
CREATE INDEX outbox_by_letter ON outbox (letter_id);
CREATE INDEX outbox_by_user ON outbox (user_id) WHERE user_id IS NOT NULL;
