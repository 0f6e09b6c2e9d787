SELECT d.id, d.name, d.stage, d.amount, o.name AS company
FROM deal d
LEFT JOIN company o ON o.id = d.company_id
WHERE d.stage IN ('proposal', 'negotiation')
ORDER BY d.amount DESC, d.id
LIMIT 8
