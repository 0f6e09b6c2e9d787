SELECT stage, count(*) AS deals, CAST(sum(amount) AS BIGINT) AS amount
FROM deal
GROUP BY stage
