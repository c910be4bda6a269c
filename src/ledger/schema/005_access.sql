-- With which of a provider's keys an attempt was made (its name in the policy), and where answers are used.
ALTER TABLE attempts ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN territory TEXT NOT NULL DEFAULT '';
ALTER TABLE decisions ADD COLUMN territory TEXT NOT NULL DEFAULT '';
