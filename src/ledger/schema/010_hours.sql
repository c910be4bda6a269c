-- What people ask of most, summed by the hour with the rows that are summed, so that a month of a million rows is read
-- in no time. And what the sums need: whether an attempt was made again and where, what a request counts as, what the
-- prompt cache saved, and under which licences the model was used.
ALTER TABLE attempts ADD COLUMN again TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN firsts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN cache_saved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN prepaid_worth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN licenses TEXT NOT NULL DEFAULT '[]';

UPDATE attempts SET firsts = 15 WHERE number = 1 AND outcome <> 'adjustment';
UPDATE attempts SET
    firsts = (NOT EXISTS (SELECT 1 FROM attempts b WHERE b.decision = attempts.decision AND b.number < attempts.number AND b.model = attempts.model)) * 2
           + (NOT EXISTS (SELECT 1 FROM attempts b WHERE b.decision = attempts.decision AND b.number < attempts.number AND b.provider = attempts.provider)) * 4
           + (NOT EXISTS (SELECT 1 FROM attempts b WHERE b.decision = attempts.decision AND b.number < attempts.number AND b.supply = attempts.supply)) * 8,
    again = CASE WHEN model = (SELECT b.model FROM attempts b WHERE b.decision = attempts.decision AND b.number < attempts.number ORDER BY b.number DESC LIMIT 1)
            THEN 'retry' ELSE 'fallback' END
WHERE number > 1 AND outcome <> 'adjustment';
UPDATE attempts SET cache_saved = cache_read * (rate_input - rate_cache_read) / 1000000
WHERE cache_read > 0 AND ended = 'posted' AND rate_input IS NOT NULL AND rate_cache_read IS NOT NULL AND exchange IN ('', '1/1');

CREATE TABLE spend_hours (
    hour              TEXT NOT NULL,
    model             TEXT NOT NULL,
    provider          TEXT NOT NULL,
    supply            TEXT NOT NULL,
    route             TEXT NOT NULL,
    client            TEXT NOT NULL,
    tags              TEXT NOT NULL,
    purpose           TEXT NOT NULL,
    territory         TEXT NOT NULL,
    licenses          TEXT NOT NULL,
    currency          TEXT NOT NULL,
    requests          INTEGER NOT NULL,
    model_requests    INTEGER NOT NULL,
    provider_requests INTEGER NOT NULL,
    supply_requests   INTEGER NOT NULL,
    attempts          INTEGER NOT NULL,
    input             INTEGER NOT NULL,
    cache_read        INTEGER NOT NULL,
    output            INTEGER NOT NULL,
    posted            INTEGER NOT NULL,
    held              INTEGER NOT NULL,
    estimated         INTEGER NOT NULL,
    adjusted          INTEGER NOT NULL,
    prepaid           INTEGER NOT NULL,
    retries           INTEGER NOT NULL,
    fallbacks         INTEGER NOT NULL,
    failed            INTEGER NOT NULL,
    cache_saved       INTEGER NOT NULL,
    PRIMARY KEY (hour, model, provider, supply, route, client, tags, purpose, territory, licenses, currency)
) STRICT, WITHOUT ROWID;

INSERT INTO spend_hours
SELECT substr(at, 1, 13), model, provider, supply, route, client, tags, purpose, territory, licenses, currency,
       sum(firsts & 1), sum((firsts >> 1) & 1), sum((firsts >> 2) & 1), sum((firsts >> 3) & 1),
       sum(outcome <> 'adjustment'), sum(input), sum(cache_read), sum(output),
       sum(iif(ended = 'posted', amount, 0)), sum(iif(ended = 'held', amount, 0)),
       sum(iif(ended = 'posted' AND estimated, amount, 0)), sum(iif(outcome = 'adjustment', amount, 0)), sum(prepaid_worth),
       sum(iif(again = 'retry', amount, 0)), sum(iif(again = 'fallback', amount, 0)),
       sum(iif(outcome = 'failed', amount, 0)), sum(cache_saved)
FROM attempts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

CREATE TABLE request_hours (
    hour         TEXT NOT NULL,
    route        TEXT NOT NULL,
    client       TEXT NOT NULL,
    tags         TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    territory    TEXT NOT NULL,
    first_choice TEXT NOT NULL,
    model        TEXT NOT NULL,
    provider     TEXT NOT NULL,
    supply       TEXT NOT NULL,
    currency     TEXT NOT NULL,
    requests     INTEGER NOT NULL,
    first_cost   INTEGER NOT NULL,
    compared     INTEGER NOT NULL,
    saved        INTEGER NOT NULL,
    PRIMARY KEY (hour, route, client, tags, purpose, territory, first_choice, model, provider, supply, currency)
) STRICT, WITHOUT ROWID;

INSERT INTO request_hours
SELECT substr(d.at, 1, 13), d.route, d.client, d.tags, d.purpose, d.territory, d.first_choice, coalesce(d.chosen, ''),
       coalesce(a.provider, ''), coalesce(a.supply, ''), d.currency, count(*), sum(d.first_cost),
       sum(d.outcome = 'ok' AND d.chosen IS NOT NULL), sum(iif(d.outcome = 'ok' AND d.chosen IS NOT NULL, d.first_cost - d.cost, 0))
FROM decisions d LEFT JOIN attempts a ON a.decision = d.id AND a.outcome = 'ok' AND a.model = d.chosen
WHERE d.first_choice <> ''
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
