-- How planb's own count of streamed output stood to what providers reported: sums over the last answers of each model, by
-- which an answer that is cut before its report is posted.
CREATE TABLE output_ratios (
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    answers    INTEGER NOT NULL,
    reported   INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    pieces     INTEGER NOT NULL,
    off_tokens INTEGER NOT NULL,
    off_pieces INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
