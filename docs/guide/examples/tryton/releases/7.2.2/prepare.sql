-- Before Tryton's own migration from 7.0: wizards that belong to no model hold an empty text in series 7.0, which the foreign
-- key of series 7.2 takes for a model's name. Harmless when run again.
UPDATE ir_action_wizard SET model = NULL WHERE model = '';
