-- What a commitment had paid for, in the attempts' own currency, where rows are older than that column: without it an
-- export bills it twice, once when it was bought and once when it was used. In integers, first the whole part.
UPDATE attempts SET prepaid_worth = CASE WHEN instr(exchange, '/') = 0 THEN prepaid ELSE
    prepaid / CAST(substr(exchange, instr(exchange, '/') + 1) AS INTEGER)
        * CAST(substr(exchange, 1, instr(exchange, '/') - 1) AS INTEGER)
    + prepaid % CAST(substr(exchange, instr(exchange, '/') + 1) AS INTEGER)
        * CAST(substr(exchange, 1, instr(exchange, '/') - 1) AS INTEGER)
        / CAST(substr(exchange, instr(exchange, '/') + 1) AS INTEGER)
    END
WHERE prepaid > 0 AND prepaid_worth = 0 AND ended = 'posted';

UPDATE spend_hours SET prepaid = (
    SELECT coalesce(sum(a.prepaid_worth), 0) FROM attempts a
    WHERE a.model = spend_hours.model AND a.at >= spend_hours.hour || ':' AND a.at < spend_hours.hour || ';'
      AND (a.provider, a.supply, a.route, a.client, a.tags, a.purpose, a.territory, a.licenses, a.currency)
        = (spend_hours.provider, spend_hours.supply, spend_hours.route, spend_hours.client, spend_hours.tags,
           spend_hours.purpose, spend_hours.territory, spend_hours.licenses, spend_hours.currency))
WHERE (hour, model) IN (SELECT DISTINCT substr(at, 1, 13), model FROM attempts WHERE prepaid > 0);
