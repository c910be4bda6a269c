-- What is promised to attempts under way and what daemons wait for, so that money which one of them holds idle comes to
-- the one that needs it; windows that slide and money that is carried over; what periods would cost without plans.

ALTER TABLE planb.limits ADD COLUMN carry_written bigint;
ALTER TABLE planb.limits ADD COLUMN carry_most bigint;

ALTER TABLE planb.pools ADD COLUMN bucket_seconds bigint;

ALTER TABLE planb.accounts DROP COLUMN recalled_at;
ALTER TABLE planb.accounts ADD COLUMN plan_free bigint NOT NULL DEFAULT 0;
ALTER TABLE planb.accounts ADD COLUMN counted_since timestamptz;

ALTER TABLE planb.leases ADD COLUMN reserved bigint NOT NULL DEFAULT 0;
ALTER TABLE planb.leases ADD COLUMN plan_free bigint NOT NULL DEFAULT 0;
ALTER TABLE planb.leases ADD COLUMN wants bigint NOT NULL DEFAULT 0;
ALTER TABLE planb.leases ADD COLUMN wanted_at timestamptz;
ALTER TABLE planb.leases ADD COLUMN recalled_at timestamptz;
CREATE INDEX leases_wanting ON planb.leases (account) WHERE wants > 0;

CREATE TABLE planb.buckets (
    account bigint NOT NULL REFERENCES planb.accounts (id),
    holder  text NOT NULL,
    bucket  bigint NOT NULL,
    posted  bigint NOT NULL,
    held    bigint NOT NULL,
    PRIMARY KEY (account, holder, bucket)
);

-- Of a window that slides, what lies in it now; else the period's.
DROP VIEW planb.budget_now;
CREATE VIEW planb.budget_now AS
WITH present AS (
    SELECT p.*, a.id AS account, a.key, l.limit_nanos, l.carry_written, l.carry_most
    FROM planb.pools p JOIN planb.accounts a ON a.pool = p.id
    JOIN planb.limits l ON l.fleet = p.fleet AND l.budget = p.budget AND l.currency = p.currency
    WHERE p.period_start <= now() AND p.period_end > now()
), counted AS (
    SELECT n.account, o.posted, o.held + o.kept AS held, o.leased, o.overdraft, gone.posted AS gone_posted,
           gone.held AS gone_held
    FROM present n JOIN planb.pools op ON op.fleet = n.fleet AND op.budget = n.budget AND op.shape = n.shape
        AND op.currency = n.currency AND (op.id = n.id OR n.bucket_seconds IS NOT NULL AND op.period_end = n.period_start)
    JOIN planb.accounts o ON o.pool = op.id AND o.key = n.key
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(u.posted), 0) AS posted, coalesce(sum(u.held), 0) AS held FROM planb.buckets u
        WHERE u.account = o.id AND abs(u.bucket - floor(extract(epoch FROM now()) / n.bucket_seconds)) >= 60
    ) gone
), summed AS (
    SELECT account, sum(posted - gone_posted) AS posted, sum(held - gone_held) AS held, sum(leased) AS leased,
           sum(overdraft) AS overdraft
    FROM counted GROUP BY account
), carried AS (
    SELECT n.account, greatest(least(n.carry_written - coalesce(o.posted + o.held + o.kept + o.leased, 0), n.carry_most), 0) AS carried
    FROM present n JOIN planb.pools ep ON ep.fleet = n.fleet AND ep.budget = n.budget AND ep.shape = n.shape
        AND ep.currency = n.currency AND ep.period_end = n.period_start
    LEFT JOIN planb.accounts o ON o.pool = ep.id AND o.key = n.key
    WHERE n.carry_most IS NOT NULL
)
SELECT n.fleet, n.budget, n.key, n.period_start, n.period_end, n.currency,
       (n.limit_nanos + coalesce(c.carried, 0)) / 1e9 AS "limit", s.posted / 1e9 AS posted, s.held / 1e9 AS held,
       s.leased / 1e9 AS leased,
       (n.limit_nanos + coalesce(c.carried, 0) - s.posted - s.held - s.leased) / 1e9 AS free, s.overdraft / 1e9 AS overdraft,
       coalesce(c.carried, 0) / 1e9 AS carried
FROM present n JOIN summed s ON s.account = n.account LEFT JOIN carried c ON c.account = n.account;
