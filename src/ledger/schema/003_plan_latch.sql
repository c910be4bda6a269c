-- What turned a plan (`condition`, `window`, `hand`, `policy`; empty where it only stands as it stood), and whether the
-- flap latch held it on from then.
ALTER TABLE plan_history ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE plan_history ADD COLUMN latched INTEGER NOT NULL DEFAULT 0;
