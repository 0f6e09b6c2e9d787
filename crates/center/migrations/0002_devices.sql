-- Browsers in which somebody has signed in before. Guessing by others never shuts these out.
CREATE TABLE devices (
    token_hash BLOB    NOT NULL, -- of the token in the browser's cookie
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_used  INTEGER NOT NULL,
    PRIMARY KEY (token_hash, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_user ON devices (user_id, last_used);

-- For counting how often something was written lately.
CREATE INDEX audit_by_action ON audit (action, at);
