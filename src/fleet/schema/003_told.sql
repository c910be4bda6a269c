-- What was told people of in the fleet's name: one daemon takes it on, and says when it has put it into its outbox.

CREATE TABLE planb.told (
    fleet      text NOT NULL,
    what       text NOT NULL,
    holder     text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    done_at    timestamptz,
    PRIMARY KEY (fleet, what)
);
