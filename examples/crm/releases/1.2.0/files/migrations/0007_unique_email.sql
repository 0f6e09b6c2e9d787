-- No more duplicate contacts.

CREATE UNIQUE INDEX contact_email_unique ON contact (lower(email));
