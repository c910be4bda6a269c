-- Who used what a licence counts users of: keyed hashes, one a month of UTC, never a name. And which attempts named a
-- user at all.
ALTER TABLE attempts ADD COLUMN named_user INTEGER NOT NULL DEFAULT 0;

CREATE TABLE license_users (
    license TEXT NOT NULL,
    month   TEXT NOT NULL,
    user    INTEGER NOT NULL,
    PRIMARY KEY (license, month, user)
) STRICT, WITHOUT ROWID;
