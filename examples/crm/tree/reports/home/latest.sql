SELECT a.id, a.kind, a.subject, a.happened_on, c.id AS contact_id,
    coalesce(c.first_name || ' ', '') || c.last_name AS contact, o.name AS company
FROM activity a
LEFT JOIN contact c ON c.id = a.contact_id
LEFT JOIN company o ON o.id = a.company_id
WHERE a.happened_on <= $1
ORDER BY a.happened_on DESC, a.id DESC
LIMIT 10
