-- The full name as one column, a salutation taken from the surname's form, and where a contact came from.

ALTER TABLE contact ADD COLUMN full_name TEXT NOT NULL DEFAULT '';
ALTER TABLE contact ADD COLUMN salutation TEXT;
ALTER TABLE contact ADD COLUMN lead_source TEXT;

UPDATE contact SET
    full_name = coalesce(title || ' ', '') || coalesce(first_name || ' ', '') || last_name,
    salutation = CASE WHEN last_name LIKE '%á' THEN 'mrs' ELSE 'mr' END,
    lead_source = 'import';
