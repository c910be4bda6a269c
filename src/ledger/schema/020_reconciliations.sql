-- What invoices said of held and estimated attempts: by the invoice's hash, so that it is known which one corrected what.
CREATE TABLE reconciliations (
    invoice TEXT NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    at      TEXT NOT NULL,
    form    TEXT NOT NULL,
    was     INTEGER NOT NULL,
    billed  INTEGER NOT NULL,
    PRIMARY KEY (invoice, attempt)
) STRICT, WITHOUT ROWID;
