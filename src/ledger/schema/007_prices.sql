-- What explains a bill: every kind that was billed, the price's own currency and what that was worth, the rates, and
-- which of the prices over time counted. And the meters of prices: what a ladder, a free quota or a commitment has seen.
ALTER TABLE attempts ADD COLUMN cache_read_explicit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN cache_write INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN cache_write_1h INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN cache_write_12h INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN input_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN input_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN output_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN thinking INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN web_fetches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN tool_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN service_tier TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN machine_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN free_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN rates TEXT NOT NULL DEFAULT '{}';
ALTER TABLE attempts ADD COLUMN price_from TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN billed INTEGER;
ALTER TABLE attempts ADD COLUMN billed_currency TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN prepaid INTEGER NOT NULL DEFAULT 0;

CREATE TABLE meters (
    name         TEXT NOT NULL,
    unit         TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    used         INTEGER NOT NULL,
    PRIMARY KEY (name, period_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE meter_steps (
    name         TEXT NOT NULL,
    period_start TEXT NOT NULL,
    step         INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (name, period_start, step),
    FOREIGN KEY (name, period_start) REFERENCES meters (name, period_start)
) STRICT, WITHOUT ROWID;

CREATE VIEW meters_now AS
SELECT name, unit, period_start, period_end, CASE unit WHEN 'money' THEN used / 1e9 ELSE used END AS used
FROM meters
WHERE period_start <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND period_end > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- A correction is no attempt: its money counts, and nothing else of it does.
DROP VIEW spend_by_model;
CREATE VIEW spend_by_model AS
SELECT model, provider, supply, currency,
       count(DISTINCT CASE WHEN outcome <> 'adjustment' THEN decision END) AS requests,
       count(CASE WHEN outcome <> 'adjustment' THEN 1 END) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY model, provider, supply, currency;

DROP VIEW spend_by_day;
CREATE VIEW spend_by_day AS
SELECT substr(at, 1, 10) AS day, currency,
       count(DISTINCT CASE WHEN outcome <> 'adjustment' THEN decision END) AS requests,
       count(CASE WHEN outcome <> 'adjustment' THEN 1 END) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY day, currency;
