-- Why it was decided so, as JSON: every model of the route with its cost, quality and reason, the plans with the signals of
-- then. Empty for decisions that were recorded before.

ALTER TABLE decisions ADD COLUMN explanation TEXT NOT NULL DEFAULT '';
