-- Desktops that have reported. Each has a random number; nothing else is known about it or its user.
CREATE TABLE desktops (
    installation TEXT    PRIMARY KEY,
    platform     TEXT    NOT NULL,
    version      TEXT,              -- NULL before the first installation
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX desktops_by_last_seen ON desktops (last_seen);

CREATE TABLE desktop_reports (
    installation TEXT    NOT NULL REFERENCES desktops (installation) ON DELETE CASCADE,
    at           INTEGER NOT NULL, -- by the Desktop's clock
    event        TEXT    NOT NULL CHECK (event IN ('installed', 'returned')),
    version      TEXT    NOT NULL, -- what ran after it
    from_version TEXT,
    reason       TEXT,             -- JSON
    PRIMARY KEY (installation, at, event)
) STRICT, WITHOUT ROWID;
