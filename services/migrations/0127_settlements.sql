-- What a merchant is paid out, and when. A batch is a range of the numbered entries of the merchant's
-- account, which never change: so each payment is in exactly one batch, and a payout that fails is an
-- entry of the next. Sums are minor units of the account's currency.

DROP TABLE settlement_lines;
DROP TABLE settlements;
DROP FUNCTION check_settlement_lines();

CREATE TABLE settlements (
    id               uuid PRIMARY KEY,
    merchant_id      uuid   NOT NULL REFERENCES merchants,
    account_id       uuid   NOT NULL,                    -- of the merchant, in the books
    currency         text   NOT NULL,
    number           int    NOT NULL CHECK (number > 0), -- 1, 2, 3, ... of the account
    from_entry       bigint NOT NULL CHECK (from_entry >= 0), -- the last one before it
    to_entry         bigint NOT NULL,                    -- its last one
    cut_off          timestamptz,                        -- what was recorded before; null: on demand
    payments         int    NOT NULL CHECK (payments >= 0),
    gross            bigint NOT NULL,                    -- of payments and captures
    fee              bigint NOT NULL,                    -- taken off
    tax              bigint NOT NULL,                    -- taken off
    refunds          bigint NOT NULL,                    -- from here on: as they moved the account
    fees_returned    bigint NOT NULL,                    -- with their tax
    reserves         bigint NOT NULL,
    disputes         bigint NOT NULL,
    reversals        bigint NOT NULL,
    returned_payouts bigint NOT NULL,                    -- payouts of earlier batches that came back
    splits           bigint NOT NULL,
    other            bigint NOT NULL,
    net              bigint NOT NULL,                    -- what all its entries come to
    carried_in       bigint NOT NULL,
    total            bigint NOT NULL,
    payout           bigint NOT NULL CHECK (payout >= 0),
    carried_out      bigint NOT NULL,
    payout_entry     bigint,                             -- by which it left the account
    transfer_id      uuid,
    bank_account_id  uuid REFERENCES bank_accounts,
    state            text NOT NULL CHECK (state IN
                       ('processing', 'settled', 'failed', 'returned', 'carried')),
    failure          text,
    created_at       timestamptz NOT NULL,
    changed_at       timestamptz NOT NULL,
    CONSTRAINT settlement_exists UNIQUE (account_id, number),
    CONSTRAINT entries_in_order CHECK (to_entry >= from_entry),
    CONSTRAINT net_is_sum_of_lines CHECK (net = gross - fee - tax + refunds + fees_returned + reserves
        + disputes + reversals + returned_payouts + splits + other),
    CONSTRAINT total_is_carried_and_net CHECK (total = carried_in + net),
    CONSTRAINT payout_within_total CHECK (payout = 0 OR payout <= total),
    CONSTRAINT carried_is_what_is_left CHECK (carried_out = total - payout),
    CONSTRAINT payout_has_left CHECK (CASE WHEN payout = 0
        THEN num_nonnulls(payout_entry, transfer_id, bank_account_id) = 0 AND state = 'carried'
        ELSE num_nonnulls(payout_entry, transfer_id, bank_account_id) = 3 AND payout_entry > to_entry
             AND state <> 'carried' END)
);
CREATE INDEX ON settlements (merchant_id, id);
CREATE UNIQUE INDEX settlement_of_payout ON settlements (account_id, payout_entry)
    WHERE payout_entry IS NOT NULL;

-- A batch begins where the one before ended, with what that one left. And it meets the books: the
-- balance after its last entry is what it leaves and the payouts, its own included, that left later.
CREATE FUNCTION check_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before settlements;
    stood  bigint;
    gone   bigint;
    fault  text;
BEGIN
    SELECT * INTO before FROM settlements
     WHERE account_id = NEW.account_id AND number = NEW.number - 1;
    stood := balance_after(NEW.account_id, NEW.to_entry);
    SELECT coalesce(sum(payout), 0) INTO gone FROM settlements
     WHERE account_id = NEW.account_id AND payout_entry > NEW.to_entry;
    IF (NEW.number = 1) <> (before.id IS NULL)
       OR NEW.from_entry <> coalesce(before.to_entry, 0)
       OR NEW.carried_in <> coalesce(before.carried_out, 0)
    THEN
        fault := 'settlement_continues';
    ELSIF stood IS NULL OR stood <> NEW.carried_out + gone THEN
        fault := 'settlement_meets_balance';
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'settlement %: %', NEW.id, fault
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = fault;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER settlement_adds_up AFTER INSERT ON settlements
    FOR EACH ROW EXECUTE FUNCTION check_settlement();

-- Whether an account was ever paid is asked before each payout.
CREATE INDEX ON instructions (bank_account_id) WHERE direction = 'credit' AND state = 'settled';

-- When a merchant is paid out: dated data. Without a schedule, when the merchant asks.
CREATE TABLE settlement_schedules (
    id             uuid PRIMARY KEY,
    merchant_id    uuid NOT NULL REFERENCES merchants,
    currency       text NOT NULL,
    frequency      text NOT NULL CHECK (frequency IN ('daily', 'weekly', 'monthly', 'on_demand')),
    weekday        int  CHECK (weekday BETWEEN 1 AND 7),  -- 1: Monday
    month_day      int  CHECK (month_day BETWEEN 1 AND 31), -- or the month's last
    cut_off        text NOT NULL CHECK (cut_off ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    time_zone      text NOT NULL,
    delay_days     int  NOT NULL CHECK (delay_days BETWEEN 0 AND 30), -- business days after the cut-off
    calendar       text NOT NULL,
    minimum_amount bigint NOT NULL CHECK (minimum_amount >= 0),
    valid_from     timestamptz NOT NULL,
    created_by     text NOT NULL,
    approved_by    text,
    created_at     timestamptz NOT NULL,
    CONSTRAINT settlement_schedule_exists UNIQUE (merchant_id, currency, valid_from),
    CHECK ((frequency = 'weekly') = (weekday IS NOT NULL)),
    CHECK ((frequency = 'monthly') = (month_day IS NOT NULL))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_schedules
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The work list of the run: what there is to settle next, and when. No fact: batches are the facts.
CREATE TABLE settlement_turns (
    merchant_id  uuid NOT NULL REFERENCES merchants,
    currency     text NOT NULL,
    settled_to   timestamptz NOT NULL,                   -- the last cut-off that is done
    next_at      timestamptz,                            -- null: nothing until the schedule changes
    PRIMARY KEY (merchant_id, currency)
);
CREATE INDEX ON settlement_turns (next_at) WHERE next_at IS NOT NULL;

-- A new schedule wakes its turn; whoever takes it finds out when it is really due.
CREATE FUNCTION wake_settlement_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settlement_turns (merchant_id, currency, settled_to, next_at)
    VALUES (NEW.merchant_id, NEW.currency, NEW.valid_from, NEW.valid_from)
    ON CONFLICT (merchant_id, currency) DO UPDATE
       SET next_at = least(settlement_turns.next_at, EXCLUDED.next_at);
    RETURN NULL;
END $$;
CREATE TRIGGER settlement_turn_wakes AFTER INSERT ON settlement_schedules
    FOR EACH ROW EXECUTE FUNCTION wake_settlement_turn();

-- Days off beside the weekends and the rules that services/settlements/business_days.ts knows.
CREATE TABLE holidays (
    calendar   text NOT NULL,
    day        date NOT NULL,
    name       text NOT NULL,
    created_by text NOT NULL,
    approved_by text,
    created_at timestamptz NOT NULL,
    CONSTRAINT holiday_exists PRIMARY KEY (calendar, day)
);

-- What a merchant paid us in a month, with the tax on it. The numbers of a year have no gap: they
-- are counted in the transaction that writes the invoice.
CREATE TABLE fee_invoice_numbers (
    year int PRIMARY KEY,
    last int NOT NULL CHECK (last >= 0)
);
CREATE TABLE fee_invoices (
    id          uuid PRIMARY KEY,
    merchant_id uuid   NOT NULL REFERENCES merchants,
    currency    text   NOT NULL,
    month       date   NOT NULL CHECK (extract(day FROM month) = 1),
    year        int    NOT NULL,
    number      int    NOT NULL CHECK (number > 0),      -- 1, 2, 3, ... of the year of issue
    lines       jsonb  NOT NULL,                         -- for what: how often, net and tax
    net         bigint NOT NULL,                         -- fees less fees given back
    tax         bigint NOT NULL,
    total       bigint NOT NULL,
    issued_at   timestamptz NOT NULL,
    CONSTRAINT fee_invoice_exists UNIQUE (merchant_id, currency, month),
    CONSTRAINT fee_invoice_number_exists UNIQUE (year, number),
    CONSTRAINT total_is_net_and_tax CHECK (total = net + tax)
);
CREATE INDEX ON fee_invoices (merchant_id, id);

-- Months of which every merchant has been looked at.
CREATE TABLE fee_invoice_months (
    month   date PRIMARY KEY,
    done_at timestamptz NOT NULL
);

CREATE FUNCTION check_fee_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number > 1 AND NOT EXISTS (SELECT FROM fee_invoices
                                       WHERE year = NEW.year AND number = NEW.number - 1) THEN
        RAISE EXCEPTION 'invoice %/% follows none', NEW.year, NEW.number
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'fee_invoice_continues';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fee_invoice_continues AFTER INSERT ON fee_invoices
    FOR EACH ROW EXECUTE FUNCTION check_fee_invoice();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fee_invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON settlements, settlement_schedules, settlement_turns, holidays, fee_invoices,
    fee_invoice_numbers, fee_invoice_months TO florin_api, florin_worker;
GRANT INSERT ON settlements, settlement_turns TO florin_api, florin_worker;
GRANT UPDATE (state, failure, changed_at) ON settlements TO florin_worker;
GRANT INSERT ON settlement_schedules, holidays TO florin_api;
GRANT UPDATE (next_at) ON settlement_turns TO florin_api, florin_worker;
GRANT UPDATE (settled_to) ON settlement_turns TO florin_worker;
GRANT INSERT, UPDATE ON fee_invoice_numbers TO florin_worker;
GRANT INSERT ON fee_invoices, fee_invoice_months TO florin_worker;
