-- Companies, contacts, deals, the journal, attachments and users.
-- The indexes that lists are read by hold what is searched as well, so that a search need not touch the rows.

CREATE TABLE company (
    id ${id},
    name TEXT NOT NULL,
    registration_number TEXT,
    street TEXT,
    city TEXT,
    postal_code TEXT,
    phone TEXT,
    email TEXT,
    website TEXT,
    note TEXT,
    sort_name TEXT NOT NULL,
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX company_order ON company (sort_name, id, search_text);

CREATE TABLE contact (
    id ${id},
    title TEXT,
    first_name TEXT,
    last_name TEXT NOT NULL,
    company_id BIGINT REFERENCES company (id) ON DELETE SET NULL,
    position TEXT,
    email TEXT,
    phone TEXT,
    note TEXT,
    client_id TEXT UNIQUE,
    sort_name TEXT NOT NULL,
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX contact_order ON contact (sort_name, id, search_text);
CREATE INDEX contact_company ON contact (company_id, sort_name);

CREATE TABLE deal (
    id ${id},
    name TEXT NOT NULL,
    stage TEXT NOT NULL,
    amount BIGINT NOT NULL,
    company_id BIGINT REFERENCES company (id) ON DELETE SET NULL,
    contact_id BIGINT REFERENCES contact (id) ON DELETE SET NULL,
    note TEXT,
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX deal_order ON deal (created_at, id);
CREATE INDEX deal_stage ON deal (stage, created_at);
CREATE INDEX deal_company ON deal (company_id);
CREATE INDEX deal_contact ON deal (contact_id);

CREATE TABLE activity (
    id ${id},
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    happened_on TEXT NOT NULL,
    contact_id BIGINT REFERENCES contact (id) ON DELETE CASCADE,
    company_id BIGINT REFERENCES company (id) ON DELETE SET NULL,
    deal_id BIGINT REFERENCES deal (id) ON DELETE SET NULL,
    body TEXT,
    reference TEXT,
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX activity_order ON activity (happened_on, id, search_text);
CREATE INDEX activity_kind ON activity (kind, happened_on);
CREATE INDEX activity_contact ON activity (contact_id, happened_on);
CREATE INDEX activity_company ON activity (company_id, happened_on);
CREATE INDEX activity_deal ON activity (deal_id);
CREATE INDEX activity_reference ON activity (reference);

CREATE TABLE attachment (
    id ${id},
    contact_id BIGINT NOT NULL REFERENCES contact (id),
    file_name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    size_bytes BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX attachment_contact ON attachment (contact_id);

CREATE TABLE app_user (
    id ${id},
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    language TEXT NOT NULL,
    groups TEXT NOT NULL,
    active INTEGER NOT NULL
);
