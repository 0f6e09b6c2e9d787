SELECT c.id, c.full_name, c.salutation, c.phone, c.email, c.follow_up_on, o.id AS company_id, o.name AS company
FROM contact c
LEFT JOIN company o ON o.id = c.company_id
WHERE c.follow_up_on > $1 AND c.follow_up_on <= $2
ORDER BY c.follow_up_on, c.sort_name
LIMIT 100
