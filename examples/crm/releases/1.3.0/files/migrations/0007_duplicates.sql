-- Duplicates are allowed, marked and shown: each refers to the first contact with the same address.

DROP INDEX IF EXISTS contact_email_unique;

ALTER TABLE contact ADD COLUMN duplicate_of BIGINT REFERENCES contact (id) ON DELETE SET NULL;

UPDATE contact SET duplicate_of = first.id
FROM (SELECT email_key, min(id) AS id FROM contact GROUP BY email_key) AS first
WHERE first.email_key = contact.email_key AND first.id < contact.id;

CREATE INDEX contact_duplicate_of ON contact (duplicate_of);
