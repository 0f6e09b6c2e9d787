SELECT stage, count(*) AS deals, CAST(sum(amount) AS BIGINT) AS amount, CAST(sum(amount * probability / 100) AS BIGINT) AS weighted
FROM deal
WHERE stage NOT IN ('won', 'lost')
GROUP BY stage
ORDER BY min(probability)
