SELECT stage, count(*) AS deals, sum(amount) AS amount
FROM deal
GROUP BY stage
