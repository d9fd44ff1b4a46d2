-- A schedule that begins later wakes its turn at once. A worker that has taken it counts from the schedules
-- that it read before, and only where next_at is another than it left does it keep what is there.
CREATE OR REPLACE FUNCTION wake_settlement_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settlement_turns (merchant_id, currency, settled_to, next_at)
    VALUES (NEW.merchant_id, NEW.currency, NEW.valid_from, NEW.valid_from)
    ON CONFLICT (merchant_id, currency) DO UPDATE
       SET settled_to = CASE WHEN settlement_turns.settled_to > NEW.created_at
                             THEN least(settlement_turns.settled_to, NEW.valid_from)
                             ELSE settlement_turns.settled_to END,
           next_at = least(settlement_turns.next_at, EXCLUDED.next_at, NEW.created_at);
    RETURN NULL;
END $$;

-- Those that nobody would look at again: whoever takes one finds out when it is due.
UPDATE settlement_turns t SET next_at = now()
 WHERE next_at IS NULL
   AND EXISTS (SELECT FROM settlement_schedules s
                WHERE (s.merchant_id, s.currency) = (t.merchant_id, t.currency)
                  AND s.frequency <> 'on_demand');
