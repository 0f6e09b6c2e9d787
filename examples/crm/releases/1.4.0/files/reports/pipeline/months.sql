SELECT substr(expected_close, 1, 7) AS month, count(*) AS deals, CAST(sum(amount * probability / 100) AS BIGINT) AS weighted
FROM deal
WHERE stage NOT IN ('won', 'lost') AND expected_close IS NOT NULL
GROUP BY substr(expected_close, 1, 7)
ORDER BY month
