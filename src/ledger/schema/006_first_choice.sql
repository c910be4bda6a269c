-- What a request would have been asked of first without any plan, and its cost there: what forecasts add up.
ALTER TABLE decisions ADD COLUMN first_choice TEXT NOT NULL DEFAULT '';
ALTER TABLE decisions ADD COLUMN first_cost INTEGER NOT NULL DEFAULT 0;
