-- Which run an attempt was part of, so that a budget with `each: run` finds its spend; which attempt a row corrects;
-- which request an SDK's retry repeats.
ALTER TABLE attempts ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN corrects INTEGER REFERENCES attempts (id);
ALTER TABLE decisions ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';

-- Held attempts whose bill nobody has told yet, with what they will be posted as if nobody does.
CREATE TABLE holds (
    attempt  INTEGER PRIMARY KEY REFERENCES attempts (id),
    estimate INTEGER
) STRICT;
INSERT INTO holds (attempt) SELECT id FROM attempts WHERE ended = 'held';

-- A correction is no attempt: its money counts, and nothing else of it does.
DROP VIEW spend_by_model;
CREATE VIEW spend_by_model AS
SELECT model, provider, supply, currency,
       count(DISTINCT CASE WHEN outcome NOT IN ('adjustment', 'release', 'estimate') THEN decision END) AS requests,
       count(CASE WHEN outcome NOT IN ('adjustment', 'release', 'estimate') THEN 1 END) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY model, provider, supply, currency;

DROP VIEW spend_by_day;
CREATE VIEW spend_by_day AS
SELECT substr(at, 1, 10) AS day, currency,
       count(DISTINCT CASE WHEN outcome NOT IN ('adjustment', 'release', 'estimate') THEN decision END) AS requests,
       count(CASE WHEN outcome NOT IN ('adjustment', 'release', 'estimate') THEN 1 END) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY day, currency;
