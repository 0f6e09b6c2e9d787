-- What the pipeline report needs: how likely a deal is, and when it should be closed.

ALTER TABLE deal ADD COLUMN probability INTEGER;
ALTER TABLE deal ADD COLUMN expected_close_on TEXT;

UPDATE deal SET probability = CASE stage
    WHEN 'lead' THEN 10
    WHEN 'qualified' THEN 30
    WHEN 'proposal' THEN 50
    WHEN 'negotiation' THEN 75
    WHEN 'won' THEN 100
    ELSE 0
END;

CREATE INDEX deal_expected_close ON deal (expected_close_on);
