-- Which route an attempt served, so that a budget over routes finds its spend in the attempts alone.
ALTER TABLE attempts ADD COLUMN route TEXT NOT NULL DEFAULT '';
UPDATE attempts SET route = coalesce((SELECT d.route FROM decisions d WHERE d.id = attempts.decision), '');
