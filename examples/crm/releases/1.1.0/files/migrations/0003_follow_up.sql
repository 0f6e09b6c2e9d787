-- The day on which a contact should be heard of again: that of the earliest open task.

ALTER TABLE contact ADD COLUMN follow_up_on TEXT;

UPDATE contact SET follow_up_on = (
    SELECT min(activity.happened_on) FROM activity
    WHERE activity.contact_id = contact.id AND activity.kind = 'task'
);

CREATE INDEX contact_follow_up ON contact (follow_up_on);
