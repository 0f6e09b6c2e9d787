-- Duplicates are allowed, marked and shown: each refers to the first contact with the same address.

DROP INDEX IF EXISTS contact_email_unique;

ALTER TABLE contact ADD COLUMN duplicate_of BIGINT REFERENCES contact (id) ON DELETE SET NULL;

UPDATE contact SET duplicate_of = (
    SELECT min(other.id) FROM contact other
    WHERE other.email_key = contact.email_key AND other.id < contact.id
) WHERE email_key IS NOT NULL;

CREATE INDEX contact_duplicate_of ON contact (duplicate_of);
