-- The fleet that this ledger's spend is reported to, and under which name: at most one row.
CREATE TABLE fleet (
    name      TEXT PRIMARY KEY,
    holder    TEXT NOT NULL,
    joined_at TEXT NOT NULL
) STRICT;
