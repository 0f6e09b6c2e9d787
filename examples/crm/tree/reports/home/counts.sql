SELECT
    (SELECT count(*) FROM company) AS companies,
    (SELECT count(*) FROM contact) AS contacts,
    (SELECT count(*) FROM deal WHERE stage NOT IN ('won', 'lost')) AS open_deals,
    (SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM deal WHERE stage NOT IN ('won', 'lost')) AS open_amount,
    (SELECT count(*) FROM activity WHERE happened_on >= $1) AS recent_activities
