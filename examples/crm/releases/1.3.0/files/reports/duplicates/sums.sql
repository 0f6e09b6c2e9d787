SELECT count(*) AS duplicates, count(DISTINCT duplicate_of) AS originals
FROM contact
WHERE duplicate_of IS NOT NULL
