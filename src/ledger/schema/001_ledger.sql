-- The first ledger. Money is INTEGER nano-units (1e-9 of the currency beside it); times are RFC 3339 UTC with
-- milliseconds, so that they sort as text and SQLite's date functions read them.

CREATE TABLE incarnations (
    number     INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    stopped_at TEXT,
    version    TEXT NOT NULL
) STRICT;

CREATE TABLE pools (
    id           INTEGER PRIMARY KEY,
    budget       TEXT NOT NULL,
    shape        TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    currency     TEXT NOT NULL,
    keyed        INTEGER NOT NULL,
    hard         INTEGER NOT NULL DEFAULT 1,
    limit_nanos  INTEGER,
    UNIQUE (budget, shape, period_start, period_end, currency)
) STRICT;

CREATE TABLE accounts (
    pool            INTEGER NOT NULL REFERENCES pools (id),
    key             TEXT NOT NULL,
    posted          INTEGER NOT NULL DEFAULT 0,
    held            INTEGER NOT NULL DEFAULT 0,
    overdraft       INTEGER NOT NULL DEFAULT 0,
    unaccounted     INTEGER NOT NULL DEFAULT 0,
    exhausted_at    TEXT,
    exhausted_limit INTEGER,
    PRIMARY KEY (pool, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    pool        INTEGER NOT NULL REFERENCES pools (id),
    incarnation INTEGER NOT NULL REFERENCES incarnations (number),
    life        INTEGER NOT NULL,
    granted     INTEGER NOT NULL DEFAULT 0,
    used        INTEGER NOT NULL DEFAULT 0,
    unaccounted INTEGER NOT NULL DEFAULT 0,
    settled     INTEGER NOT NULL DEFAULT 0,
    granted_at  TEXT NOT NULL,
    ended_at    TEXT,
    PRIMARY KEY (incarnation, pool, life)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    id              INTEGER PRIMARY KEY,
    incarnation     INTEGER NOT NULL,
    decision        TEXT NOT NULL,
    number          INTEGER NOT NULL,
    at              TEXT NOT NULL,
    model           TEXT NOT NULL,
    provider        TEXT NOT NULL,
    supply          TEXT NOT NULL,
    upstream        TEXT NOT NULL,
    client          TEXT NOT NULL,
    tags            TEXT NOT NULL,
    purpose         TEXT NOT NULL,
    ended           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    class           TEXT NOT NULL,
    status          INTEGER NOT NULL,
    input           INTEGER NOT NULL,
    cache_read      INTEGER NOT NULL,
    output          INTEGER NOT NULL,
    reasoning       INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    amount          INTEGER NOT NULL,
    worst           INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    rate_input      INTEGER,
    rate_cache_read INTEGER,
    rate_output     INTEGER,
    first_token_ms  INTEGER,
    total_ms        INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_time ON attempts (at);
CREATE INDEX attempts_by_decision ON attempts (decision);

CREATE TABLE postings (
    pool      INTEGER NOT NULL REFERENCES pools (id),
    attempt   INTEGER NOT NULL REFERENCES attempts (id),
    key       TEXT NOT NULL,
    posted    INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    overdraft INTEGER NOT NULL,
    found     INTEGER NOT NULL,
    PRIMARY KEY (pool, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    id       TEXT PRIMARY KEY,
    at       TEXT NOT NULL,
    route    TEXT NOT NULL,
    dialect  TEXT NOT NULL,
    stream   INTEGER NOT NULL,
    plans    TEXT NOT NULL,
    chosen   TEXT,
    excluded TEXT NOT NULL,
    client   TEXT NOT NULL,
    tags     TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    input    INTEGER NOT NULL,
    cost     INTEGER NOT NULL,
    currency TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    status   INTEGER NOT NULL,
    policy   TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_time ON decisions (at);

CREATE TABLE policies (
    id     INTEGER PRIMARY KEY,
    since  TEXT NOT NULL,
    hash   TEXT NOT NULL,
    origin TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT;

CREATE TABLE plan_history (
    id             INTEGER PRIMARY KEY,
    at             TEXT NOT NULL,
    plan           TEXT NOT NULL,
    active         INTEGER NOT NULL,
    since          TEXT,
    why            TEXT NOT NULL,
    override       TEXT,
    override_until TEXT
) STRICT;
CREATE INDEX plan_history_by_plan ON plan_history (plan, id);

CREATE TABLE outbox (
    id     TEXT PRIMARY KEY,
    type   TEXT NOT NULL,
    at     TEXT NOT NULL,
    dedupe TEXT UNIQUE,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (
    event   TEXT NOT NULL REFERENCES outbox (id),
    target  TEXT NOT NULL,
    state   TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    tries   INTEGER NOT NULL DEFAULT 0,
    next_at TEXT NOT NULL,
    done_at TEXT,
    error   TEXT,
    PRIMARY KEY (event, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending';

CREATE VIEW spend_by_model AS
SELECT model, provider, supply, currency,
       count(DISTINCT decision) AS requests, count(*) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY model, provider, supply, currency;

CREATE VIEW spend_by_day AS
SELECT substr(at, 1, 10) AS day, currency,
       count(DISTINCT decision) AS requests, count(*) AS attempts,
       sum(input) AS input_tokens, sum(cache_read) AS cached_tokens, sum(output) AS output_tokens,
       sum(CASE WHEN ended = 'posted' THEN amount ELSE 0 END) / 1e9 AS posted,
       sum(CASE WHEN ended = 'held' THEN amount ELSE 0 END) / 1e9 AS held
FROM attempts GROUP BY day, currency;

CREATE VIEW budget_now AS
SELECT p.budget, a.key, p.period_start, p.period_end, p.currency, p.limit_nanos / 1e9 AS "limit",
       a.posted / 1e9 AS posted, a.held / 1e9 AS held, a.unaccounted / 1e9 AS unaccounted,
       a.overdraft / 1e9 AS overdraft, a.exhausted_at
FROM pools p JOIN accounts a ON a.pool = p.id
WHERE p.period_start <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND p.period_end > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

CREATE VIEW delivery_state AS
SELECT o.id, o.type, o.at, d.target, d.state, d.tries, d.next_at, d.done_at, d.error
FROM outbox o JOIN deliveries d ON d.event = o.id;
