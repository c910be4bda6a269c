-- How many synced commits a start has made: what was durable and is gone shows.
ALTER TABLE incarnations ADD COLUMN syncs INTEGER NOT NULL DEFAULT 0;

-- Old attempts can be folded: those of an hour that differ in nothing but their figures become one row of outcome `folded`,
-- and `folded` is how many they were. Sums by the hour, accounts and postings stay what they are.
ALTER TABLE attempts ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;

-- Each run: hours before `upto` are folded (the last one as far as `through`), from so many attempts into so many rows;
-- their decisions are gone.
CREATE TABLE folds (
    id        INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,
    upto      TEXT NOT NULL,
    through   TEXT NOT NULL,
    attempts  INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    decisions INTEGER NOT NULL
) STRICT;

-- From the hours, which folding does not touch.
DROP VIEW spend_by_model;
CREATE VIEW spend_by_model AS
SELECT model, provider, supply, currency, sum(model_requests) AS requests, sum(attempts) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(posted) / 1e9 AS posted, sum(held) / 1e9 AS held
FROM spend_hours GROUP BY model, provider, supply, currency;

DROP VIEW spend_by_day;
CREATE VIEW spend_by_day AS
SELECT substr(hour, 1, 10) AS day, currency, sum(requests) AS requests, sum(attempts) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(posted) / 1e9 AS posted, sum(held) / 1e9 AS held
FROM spend_hours GROUP BY day, currency;
