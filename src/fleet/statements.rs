//! The statements of an exchange, prepared once for each connection.
//!
//! Promises that one statement reads, reckons and writes what a grant depends on, under locks that [`LOCK`] has taken in
//! the order of the accounts' numbers.

use tokio_postgres::{Client, Statement};

/// Says that this is the newest start of this holder and its next exchange; the same one again after a lost answer is
/// let through.
const PRESENT: &str = "UPDATE planb.members SET exchange = $4 + 1, nonce = $5, seen_at = now(), stopped_at = NULL
    WHERE fleet = $1 AND holder = $2 AND incarnation = $3 AND (exchange = $4 OR (exchange = $4 + 1 AND nonce = $5))";

/// The accounts, and those of the same key in the periods before and after, which a window or carried money looks at.
const LOCK: &str = "SELECT id FROM planb.accounts WHERE id IN (
        SELECT unnest($1::bigint[]) UNION
        SELECT o.id FROM planb.accounts a JOIN planb.pools p ON p.id = a.pool
        JOIN planb.pools op ON op.fleet = p.fleet AND op.budget = p.budget AND op.shape = p.shape AND op.currency = p.currency
            AND (op.period_end = p.period_start OR op.period_start = p.period_end)
        JOIN planb.accounts o ON o.pool = op.id AND o.key = a.key
        WHERE a.id = ANY($1)
    ) ORDER BY id FOR UPDATE";

const BUCKETS: &str = "INSERT INTO planb.buckets AS b (account, holder, bucket, posted, held)
    SELECT q.account, $1, q.bucket, q.posted, q.held
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS q (account, bucket, posted, held)
    ON CONFLICT (account, holder, bucket) DO UPDATE SET posted = excluded.posted, held = excluded.held
    WHERE b.posted <> excluded.posted OR b.held <> excluded.held";

/// $1 holder, $2 incarnation, $3 fleet, then by account: number, posted, held, overdraft, least, upto, hard, reserved,
/// cost without plans, since when that is counted.
///
/// A lease of an earlier start is kept: what it has left may have been drawn by a copy of this daemon that still runs.
/// A copy stops 200 s after its last answer, so that 300 s after it the rest is free; where this daemon knows less than it
/// told before, its books are older than the store's, and the rest stays to the period's end.
///
/// Of a window that slides, what lies in the blocks before and after counts too, and what is known to be out of it does
/// not. Money is carried over once nothing more can be given in the period before. Nothing is given ahead of need that
/// others wait for; what a share has of that, or beyond a limit that was lowered, is asked back, because it may be drawn
/// on until the daemon itself has let go of it.
const EXCHANGE: &str = "WITH asked AS (
        SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[],
                             $11::bigint[], $12::bigint[], $13::bigint[])
            AS q (account, posted, held, overdraft, least, upto, hard, reserved, plan_free, since)
    ), was AS (
        SELECT q.account, q.posted, q.held, q.overdraft, q.least, q.upto, q.hard, q.reserved,
               coalesce(q.plan_free, l.plan_free) AS plan_free, l.plan_free AS plan_free0,
               to_timestamp(q.since / 1e6) AS since,
               q.posted + q.held - q.overdraft AS drawn, l.posted AS posted0, l.held AS held0,
               l.overdraft AS overdraft0, l.total AS total0, l.kept AS kept0, l.kept_until, l.renewed_at,
               l.posted + l.held - l.overdraft AS drawn0, l.incarnation <> $2 AS taken_over
        FROM asked q JOIN planb.leases l ON l.account = q.account AND l.holder = $1
    ), told AS (
        SELECT w.*, greatest(w.total0 - w.drawn0, 0) AS out0,
               CASE WHEN w.taken_over THEN w.drawn ELSE greatest(least(w.total0, w.upto), w.drawn) END AS total1,
               CASE WHEN w.kept_until < now() THEN 0 ELSE w.kept0 END
                   + CASE WHEN w.taken_over THEN greatest(w.total0 - w.drawn, 0) ELSE 0 END AS kept1
        FROM was w
    ), place AS (
        SELECT t.account, a.key, p.id AS pool, p.fleet, p.budget, p.shape, p.currency, p.period_start, p.period_end,
               p.bucket_seconds, p.opened_at, b.limit_nanos, b.carry_written, b.carry_most
        FROM told t JOIN planb.accounts a ON a.id = t.account JOIN planb.pools p ON p.id = a.pool
        JOIN planb.limits b ON b.fleet = p.fleet AND b.budget = p.budget AND b.currency = p.currency
    ), beside AS (
        SELECT c.account, c.bucket_seconds, o.id AS other, o.posted, o.held, o.kept + o.leased AS promised
        FROM place c JOIN planb.pools op ON op.fleet = c.fleet AND op.budget = c.budget AND op.shape = c.shape
            AND op.currency = c.currency AND (op.period_end = c.period_start OR op.period_start = c.period_end)
        JOIN planb.accounts o ON o.pool = op.id AND o.key = c.key
        WHERE c.bucket_seconds IS NOT NULL
    ), near AS (
        SELECT x.account, sum(x.posted) AS posted, sum(x.held) AS held, sum(x.promised) AS promised,
               coalesce(sum(m.posted), 0) AS own_posted, coalesce(sum(m.held), 0) AS own_held
        FROM beside x LEFT JOIN planb.leases m ON m.account = x.other AND m.holder = $1 GROUP BY x.account
    ), gone AS (
        SELECT x.account, sum(u.posted + u.held) AS total
        FROM (SELECT account, bucket_seconds, other FROM beside UNION ALL
              SELECT account, bucket_seconds, account FROM place WHERE bucket_seconds IS NOT NULL) x
        JOIN planb.buckets u ON u.account = x.other
        WHERE abs(u.bucket - floor(extract(epoch FROM now()) / x.bucket_seconds)) >= 60 GROUP BY x.account
    ), earlier AS (
        SELECT c.account, ep.opened_at IS NULL AS counting, greatest(least(c.carry_written
                   - coalesce(o.posted + o.held + o.kept + o.leased, 0), c.carry_most), 0) AS carried
        FROM place c JOIN planb.pools ep ON ep.fleet = c.fleet AND ep.budget = c.budget AND ep.shape = c.shape
            AND ep.currency = c.currency AND ep.period_end = c.period_start
        LEFT JOIN planb.accounts o ON o.pool = ep.id AND o.key = c.key
        WHERE c.carry_most IS NOT NULL
    ), room AS (
        SELECT t.*, c.period_end, c.limit_nanos, coalesce(e.carried, 0) AS carried,
               c.opened_at IS NULL OR coalesce(e.counting, false)
                   OR c.carry_most IS NOT NULL AND now() < c.period_start AS counting,
               c.carry_most IS NOT NULL AND c.period_end <= now() AS closed,
               a.posted - t.posted0 + t.posted AS all_posted, a.held - t.held0 + t.held AS all_held,
               a.overdraft - t.overdraft0 + t.overdraft AS all_overdraft, a.kept - t.kept0 + t.kept1 AS all_kept,
               a.leased - t.out0 + t.total1 - t.drawn AS all_leased,
               coalesce(n.posted, 0) - coalesce(n.own_posted, 0) AS near_posted,
               coalesce(n.held, 0) - coalesce(n.own_held, 0) AS near_held,
               coalesce(n.posted + n.held + n.promised, 0) - coalesce(g.total, 0) AS near
        FROM told t JOIN place c ON c.account = t.account JOIN planb.accounts a ON a.id = t.account
        LEFT JOIN near n ON n.account = t.account LEFT JOIN gone g ON g.account = t.account
        LEFT JOIN earlier e ON e.account = t.account
    ), fits AS (
        SELECT r.*, r.limit_nanos + r.carried - r.all_posted - r.all_held - r.all_kept - r.all_leased - r.near AS free,
               greatest((SELECT count(*) FROM planb.members m WHERE m.fleet = $3 AND m.stopped_at IS NULL
                         AND m.seen_at > now() - interval '300 seconds'), 1) AS daemons,
               (SELECT coalesce(sum(o.wants), 0) FROM planb.leases o WHERE o.account = r.account AND o.wants > 0
                    AND o.holder <> $1 AND o.wanted_at > now() - interval '10 seconds') AS wanted
        FROM room r
    ), given AS (
        SELECT f.*, greatest(f.free, 0) AS left0, CASE WHEN f.counting OR f.closed OR NOT f.hard OR f.upto <= f.total1 THEN 0
            ELSE least(f.upto - f.total1, greatest(f.free, 0),
                       greatest(f.least - f.total1, floor((greatest(f.free, 0) - f.wanted) / (2 * f.daemons)), 0)) END AS more
        FROM fits f
    ), final AS (
        SELECT g.account, g.posted, g.held, g.overdraft, g.reserved, g.plan_free, g.plan_free0, g.since, g.kept1,
               g.taken_over, g.kept_until, g.drawn, g.drawn0, g.period_end, g.renewed_at, g.all_posted, g.all_held,
               g.all_overdraft, g.all_kept, g.near_posted, g.near_held, g.limit_nanos, g.carried, g.counting, g.daemons,
               (g.total1 + g.more)::bigint AS total, (g.all_leased + g.more)::bigint AS all_leased,
               (g.left0 - g.more)::bigint AS left1,
               g.hard AND (g.free < 0 OR g.wanted > 0)
                   AND g.total1 + g.more > greatest(g.least, g.drawn + g.reserved) AS asked_back,
               CASE WHEN g.hard AND NOT g.counting THEN greatest(g.least - g.total1 - g.more, 0) ELSE 0 END::bigint AS wants
        FROM given g
    ), lease AS (
        UPDATE planb.leases l SET incarnation = $2, posted = g.posted, held = g.held, overdraft = g.overdraft,
            reserved = g.reserved, plan_free = g.plan_free, total = g.total, kept = g.kept1, renewed_at = now(),
            wants = g.wants, wanted_at = CASE WHEN g.wants > 0 THEN now() END,
            kept_until = CASE WHEN NOT g.taken_over THEN g.kept_until
                WHEN g.drawn < g.drawn0 OR g.kept_until >= g.period_end THEN g.period_end
                ELSE g.renewed_at + interval '300 seconds' END
        FROM final g WHERE l.account = g.account AND l.holder = $1
    )
    UPDATE planb.accounts a SET posted = g.all_posted, held = g.all_held, overdraft = g.all_overdraft,
        kept = g.all_kept, leased = g.all_leased, plan_free = a.plan_free - g.plan_free0 + g.plan_free,
        counted_since = least(a.counted_since, g.since)
    FROM final g WHERE a.id = g.account
    RETURNING a.id, g.total, (g.all_posted - g.posted + g.near_posted)::bigint AS posted,
        (g.all_held + g.all_kept - g.held + g.near_held)::bigint AS held,
        g.all_overdraft - g.overdraft AS overdraft, g.limit_nanos, g.carried::bigint AS carried, g.left1 AS left,
        g.counting, g.wants, g.asked_back, g.daemons, a.plan_free - g.plan_free AS plan_free,
        (extract(epoch FROM a.counted_since) * 1000000)::bigint AS counted_since,
        EXISTS (SELECT FROM planb.leases o WHERE o.account = a.id AND o.wants > 0 AND o.holder <> $1) AS waited_for";

/// What others spent by bucket, of a window's block and those beside it.
const WINDOW: &str = "SELECT a.id, u.bucket, sum(u.posted)::bigint AS posted, sum(u.held)::bigint AS held
    FROM planb.accounts a JOIN planb.pools p ON p.id = a.pool
    JOIN planb.pools op ON op.fleet = p.fleet AND op.budget = p.budget AND op.shape = p.shape AND op.currency = p.currency
        AND (op.id = p.id OR op.period_end = p.period_start OR op.period_start = p.period_end)
    JOIN planb.accounts o ON o.pool = op.id AND o.key = a.key
    JOIN planb.buckets u ON u.account = o.id
    WHERE a.id = ANY($1) AND u.holder <> $2 GROUP BY a.id, u.bucket";

/// What others may have that an account needs, in it and of a window in the blocks beside it. Who has told within the last
/// ten seconds has said what is reserved; of anybody else it is not known whether it still is. Who was asked and has said
/// nothing for two seconds is not there.
const IDLE: &str = "WITH holding AS (
        SELECT l.account, l.holder, l.recalled_at > l.renewed_at AS asked,
               l.total - (l.posted + l.held - l.overdraft)
                   - CASE WHEN l.renewed_at > now() - interval '10 seconds' THEN l.reserved ELSE 0 END AS idle
        FROM planb.leases l
        WHERE l.account IN (
                SELECT $1::bigint UNION
                SELECT o.id FROM planb.accounts a JOIN planb.pools p ON p.id = a.pool
                JOIN planb.pools op ON op.fleet = p.fleet AND op.budget = p.budget AND op.shape = p.shape
                    AND op.currency = p.currency AND op.period_end = p.period_start AND p.bucket_seconds IS NOT NULL
                JOIN planb.accounts o ON o.pool = op.id AND o.key = a.key WHERE a.id = $1)
            AND l.holder <> $2 AND l.renewed_at > now() - interval '300 seconds'
            AND (l.recalled_at IS NULL OR l.renewed_at >= l.recalled_at OR l.recalled_at > now() - interval '2 seconds')
    ), rich AS (
        SELECT h.*, sum(h.idle) OVER (ORDER BY h.asked IS TRUE DESC, h.idle DESC, h.holder) - h.idle AS before
        FROM holding h WHERE h.idle > 0
    ), recalled AS (
        UPDATE planb.leases l SET recalled_at = now() FROM rich r
        WHERE l.account = r.account AND l.holder = r.holder AND r.asked IS NOT TRUE AND $3::bigint > 0 AND r.before < $3
            AND (SELECT sum(idle) FROM rich) >= $3 - $4
        RETURNING pg_notify('planb_' || l.holder, l.account::text)
    )
    SELECT coalesce(sum(r.idle), 0)::bigint AS idle, (SELECT count(*) FROM recalled) AS recalled FROM rich r";

/// Money is there: those who wait for no more than that are told, once.
const FREED: &str = "WITH waiting AS (
        SELECT l.account, l.holder FROM planb.leases l
        WHERE l.account = $1 AND l.holder <> $2 AND l.wants > 0 AND l.wants <= $3
            AND l.renewed_at > now() - interval '300 seconds'
        ORDER BY l.wanted_at DESC, l.holder LIMIT 8
    ), told AS (
        UPDATE planb.leases l SET wants = 0, wanted_at = NULL FROM waiting w
        WHERE l.account = w.account AND l.holder = w.holder RETURNING l.account, l.holder
    )
    SELECT pg_notify('planb_' || holder, '+' || account) FROM told";

const AGREE: &str =
    "INSERT INTO planb.limits AS l (fleet, budget, currency, limit_nanos, policy, edited_at, carry_written, carry_most)
    VALUES ($1, $2, $3, $4, $5, $6::text::timestamptz, $7, $8)
    ON CONFLICT (fleet, budget, currency) DO UPDATE SET limit_nanos = excluded.limit_nanos, policy = excluded.policy,
        edited_at = excluded.edited_at, carry_written = excluded.carry_written, carry_most = excluded.carry_most
    WHERE excluded.edited_at > l.edited_at";

/// A pool that began before its first report has a past that all who are there must tell first. Who has not heard of
/// the budget has, after 100 s, had an exchange without it.
const OPEN: &str = "UPDATE planb.pools p SET opened_at = now()
    WHERE p.id = ANY($1) AND p.opened_at IS NULL AND (p.created_at <= p.period_start
        OR p.created_at < now() - interval '100 seconds'
        OR NOT EXISTS (SELECT 1 FROM planb.members m WHERE m.fleet = $2 AND m.stopped_at IS NULL
            AND m.seen_at > now() - interval '300 seconds'
            AND NOT EXISTS (SELECT 1 FROM planb.reports r WHERE r.pool = p.id AND r.holder = m.holder)))";

pub(super) struct Statements {
    pub(super) present: Statement,
    pub(super) lock: Statement,
    pub(super) buckets: Statement,
    pub(super) exchange: Statement,
    pub(super) window: Statement,
    pub(super) idle: Statement,
    pub(super) freed: Statement,
    pub(super) agree: Statement,
    pub(super) open: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            present: client.prepare(PRESENT).await?,
            lock: client.prepare(LOCK).await?,
            buckets: client.prepare(BUCKETS).await?,
            exchange: client.prepare(EXCHANGE).await?,
            window: client.prepare(WINDOW).await?,
            idle: client.prepare(IDLE).await?,
            freed: client.prepare(FREED).await?,
            agree: client.prepare(AGREE).await?,
            open: client.prepare(OPEN).await?,
        })
    }
}
