-- An update can lead back to the version before; its mails say so.
ALTER TABLE updates_seen ADD COLUMN is_revert INTEGER NOT NULL DEFAULT 0 CHECK (is_revert IN (0, 1));
