-- What makes a meter that meter stands beside its name, and what is stale was not in force all along: it is found anew from
-- the attempts. And what explains a bill by itself, whatever became of the policy and the catalogue that it came from.
DROP VIEW meters_now;
ALTER TABLE meters RENAME TO meters_before;
ALTER TABLE meter_steps RENAME TO meter_steps_before;

CREATE TABLE meters (
    name         TEXT NOT NULL,
    shape        TEXT NOT NULL,
    unit         TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end   TEXT NOT NULL,
    used         INTEGER NOT NULL,
    stale        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, shape, period_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE meter_steps (
    name         TEXT NOT NULL,
    shape        TEXT NOT NULL,
    period_start TEXT NOT NULL,
    step         INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    PRIMARY KEY (name, shape, period_start, step),
    FOREIGN KEY (name, shape, period_start) REFERENCES meters (name, shape, period_start)
) STRICT, WITHOUT ROWID;

INSERT INTO meters SELECT name, '', unit, period_start, period_end, used, 1 FROM meters_before;
INSERT INTO meter_steps SELECT name, '', period_start, step, amount FROM meter_steps_before;
DROP TABLE meter_steps_before;
DROP TABLE meters_before;

CREATE VIEW meters_now AS
SELECT name, unit, period_start, period_end, CASE unit WHEN 'tokens' THEN used ELSE used / 1e9 END AS used
FROM meters
WHERE NOT stale AND period_start <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  AND period_end > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

ALTER TABLE attempts ADD COLUMN policy TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN options TEXT NOT NULL DEFAULT '[]';
ALTER TABLE attempts ADD COLUMN bill TEXT NOT NULL DEFAULT '';
CREATE INDEX attempts_by_model ON attempts (model, at);
