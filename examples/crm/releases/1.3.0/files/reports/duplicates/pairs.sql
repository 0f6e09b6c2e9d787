SELECT c.id, c.full_name, c.email, c.phone, c.created_at, o.name AS company,
    f.id AS first_id, f.full_name AS first_full_name, f.email AS first_email, f.phone AS first_phone,
    f.created_at AS first_created_at, p.name AS first_company,
    CASE WHEN c.last_name = f.last_name AND c.first_name = f.first_name THEN 1 ELSE 0 END AS same_person
FROM contact c
JOIN contact f ON f.id = c.duplicate_of
LEFT JOIN company o ON o.id = c.company_id
LEFT JOIN company p ON p.id = f.company_id
ORDER BY f.sort_name, f.id, c.id
LIMIT 200
