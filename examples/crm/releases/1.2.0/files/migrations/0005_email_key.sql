-- The address in a form in which two that mean the same are the same.

ALTER TABLE contact ADD COLUMN email_key TEXT;

UPDATE contact SET email_key = lower(trim(email));

CREATE INDEX contact_email_key ON contact (email_key);
