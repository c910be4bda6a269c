-- Requests that were turned away before there was a decision, by client, route and code over stretches of time; detail and
-- request are those of the first.

CREATE TABLE refusals (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    until    TEXT NOT NULL,
    client   TEXT NOT NULL,
    route    TEXT NOT NULL,
    code     TEXT NOT NULL,
    status   INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    detail   TEXT NOT NULL,
    request  TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_by_time ON refusals (at);
