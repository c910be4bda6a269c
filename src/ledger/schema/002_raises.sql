-- Raises of a budget's limit by hand. A row without an amount ends all earlier ones of its budget.

CREATE TABLE raises (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    budget   TEXT NOT NULL,
    amount   INTEGER,
    currency TEXT NOT NULL,
    until    TEXT NOT NULL
) STRICT;
CREATE INDEX raises_by_budget ON raises (budget, id);
