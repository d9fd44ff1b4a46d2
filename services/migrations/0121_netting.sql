-- What the banks owe each other through us: our money came in at one and went out at another. A
-- window is a range of seals, so each sealed transfer is in exactly one window of its currency.

ALTER TABLE instructions DROP CONSTRAINT instructions_purpose_check;
ALTER TABLE instructions ADD CONSTRAINT instructions_purpose_check
    CHECK (purpose IN ('payment', 'top_up', 'withdrawal', 'settlement', 'netting'));

CREATE TABLE netting_windows (
    id           uuid PRIMARY KEY,
    currency     text   NOT NULL,
    number       int    NOT NULL CHECK (number > 0),     -- 1, 2, 3, ... in each currency
    state        text   NOT NULL CHECK (state IN ('open', 'closing', 'closed', 'settled')),
    method       text   NOT NULL CHECK (method IN ('multilateral', 'bilateral')),
    from_seal    bigint NOT NULL,                        -- the last one before it
    to_seal      bigint,                                 -- its last one
    transfers    bigint,                                 -- how many of them count
    retained     bigint,                                 -- what came in and did not go out, minor units
    opened_at    timestamptz NOT NULL,
    closing_at   timestamptz,
    closed_at    timestamptz,
    settled_at   timestamptz,
    closed_by    text,                                   -- an operator; null: its time was up
    approved_at  timestamptz,                            -- from then on its payments may be made
    proposed_by  text,
    approved_by  text,
    leased_until timestamptz,                            -- while a worker adds it up
    CONSTRAINT netting_window_exists UNIQUE (currency, number),
    CHECK ((state = 'open') = (to_seal IS NULL)),
    CHECK ((state IN ('open', 'closing')) = (retained IS NULL)),
    CHECK (to_seal >= from_seal),
    CHECK (approved_at IS NULL OR state IN ('closed', 'settled'))
);
CREATE UNIQUE INDEX netting_window_open ON netting_windows (currency) WHERE state = 'open';
CREATE INDEX ON netting_windows (state) WHERE state <> 'settled';

-- Windows of a currency leave nothing out and share nothing.
CREATE FUNCTION continue_netting_windows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.from_seal IS DISTINCT FROM (
        SELECT CASE WHEN NEW.number = 1 THEN 0 ELSE (
            SELECT to_seal FROM netting_windows
             WHERE currency = NEW.currency AND number = NEW.number - 1) END)
    OR TG_OP = 'UPDATE' AND (
        (NEW.id, NEW.currency, NEW.number, NEW.from_seal)
            IS DISTINCT FROM (OLD.id, OLD.currency, OLD.number, OLD.from_seal)
        OR OLD.to_seal IS NOT NULL AND NEW.to_seal IS DISTINCT FROM OLD.to_seal)
    THEN
        RAISE EXCEPTION 'a netting window begins where the one before ended'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'netting_window_continues';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER netting_window_continues BEFORE INSERT OR UPDATE ON netting_windows
    FOR EACH ROW EXECUTE FUNCTION continue_netting_windows();

CREATE TABLE netting_positions (
    window_id uuid   NOT NULL REFERENCES netting_windows,
    bank      text   NOT NULL,
    received  bigint NOT NULL CHECK (received >= 0),     -- what came in there, minor units
    paid      bigint NOT NULL CHECK (paid >= 0),         -- what went out there
    carried   bigint NOT NULL,                           -- left over from windows before
    kept      bigint NOT NULL,                           -- its part of what was retained stays there
    net       bigint NOT NULL,                           -- it pays so much, or, below 0, gets it
    CONSTRAINT netting_position_exists PRIMARY KEY (window_id, bank),
    CONSTRAINT net_is_what_is_left CHECK (net = received - paid + carried - kept)
);

CREATE TABLE netting_obligations (
    id           uuid   PRIMARY KEY,
    window_id    uuid   NOT NULL REFERENCES netting_windows,
    from_bank    text   NOT NULL,
    to_bank      text   NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text   NOT NULL,
    state        text   NOT NULL CHECK (state IN ('due', 'instructed', 'settled', 'carried')),
    transfer_id  uuid,                                   -- the hold between our two accounts
    reason       text,                                   -- why it is carried
    carried_into uuid   REFERENCES netting_windows,      -- whose positions it is part of again
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    CONSTRAINT netting_obligation_exists UNIQUE (window_id, from_bank, to_bank),
    FOREIGN KEY (window_id, from_bank) REFERENCES netting_positions (window_id, bank),
    FOREIGN KEY (window_id, to_bank) REFERENCES netting_positions (window_id, bank),
    CHECK (from_bank <> to_bank),
    CHECK ((state = 'due') = (transfer_id IS NULL)),
    CHECK (carried_into IS NULL OR state = 'carried')
);
CREATE INDEX ON netting_obligations (state) WHERE state IN ('due', 'instructed');
CREATE INDEX ON netting_obligations (currency) WHERE state = 'carried' AND carried_into IS NULL;

-- Asked when a window's rows are all there, at the end of the transaction that writes them.
CREATE FUNCTION check_netting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT CASE
             WHEN sum(p.net) <> 0 THEN 'netting_positions_sum_to_zero'
             WHEN sum(p.kept) <> sum(p.received - p.paid) THEN 'what_is_kept_is_what_is_retained'
             WHEN bool_or(p.net <> coalesce(o.net, 0)) THEN 'netting_obligations_meet_positions'
           END
      INTO fault
      FROM netting_positions p
      LEFT JOIN (SELECT bank, sum(amount) AS net
                   FROM (SELECT from_bank AS bank, amount FROM netting_obligations
                          WHERE window_id = NEW.window_id
                         UNION ALL
                         SELECT to_bank, -amount FROM netting_obligations
                          WHERE window_id = NEW.window_id) sides
                  GROUP BY bank) o USING (bank)
     WHERE p.window_id = NEW.window_id;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'netting window %: %', NEW.window_id, fault
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = fault;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER netting_adds_up AFTER INSERT ON netting_positions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_netting();
CREATE CONSTRAINT TRIGGER netting_adds_up AFTER INSERT ON netting_obligations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_netting();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON netting_positions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON netting_windows, netting_positions, netting_obligations TO florin_api, florin_worker;
GRANT INSERT ON netting_windows TO florin_api, florin_worker;
GRANT UPDATE (state, to_seal, closing_at, closed_by) ON netting_windows TO florin_api, florin_worker;
GRANT UPDATE (approved_at, proposed_by, approved_by) ON netting_windows TO florin_api;
GRANT UPDATE (transfers, retained, closed_at, settled_at, leased_until)
    ON netting_windows TO florin_worker;
GRANT INSERT ON netting_positions, netting_obligations, instructions TO florin_worker;
GRANT UPDATE (state, transfer_id, reason, carried_into, changed_at)
    ON netting_obligations TO florin_worker;
