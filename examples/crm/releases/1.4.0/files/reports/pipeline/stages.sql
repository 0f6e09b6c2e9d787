SELECT stage, count(*) AS deals, sum(amount) AS amount, sum(amount * probability / 100) AS weighted
FROM deal
WHERE stage NOT IN ('won', 'lost')
GROUP BY stage
ORDER BY min(probability)
