-- Orders that are authorised first and captured later, what became of them, and reversals.

ALTER TABLE orders
    ADD capture          text NOT NULL DEFAULT 'automatic' CHECK (capture IN ('automatic', 'manual')),
    ADD capture_within_s int CHECK (capture_within_s > 0),
    ADD partial_captures text CHECK (partial_captures IN ('none', 'one', 'several')),
    ADD CONSTRAINT only_holds_are_captured CHECK (
        (capture = 'manual') = (capture_within_s IS NOT NULL)
        AND (capture = 'manual') = (partial_captures IS NOT NULL)
    );

ALTER TABLE payments
    ADD captured       bigint,                           -- so far; null where nothing is held first
    ADD hold_id        uuid,                             -- the unit that holds the money
    ADD authorized_at  timestamptz,
    ADD capture_before timestamptz,
    ADD reversed_at    timestamptz,
    DROP CONSTRAINT payments_state_check,
    ADD CONSTRAINT payments_state_check CHECK (state IN (
        'processing', 'authorized', 'completed', 'failed', 'canceled', 'expired', 'reversed')),
    DROP CONSTRAINT gross_is_net_fee_and_tax,
    ADD CONSTRAINT gross_is_net_fee_and_tax CHECK (coalesce(captured, amount) = net + fee + tax),
    ADD CONSTRAINT captured_within_amount CHECK (captured BETWEEN 0 AND amount),
    ADD CONSTRAINT authorized_by_hold CHECK (
        num_nonnulls(hold_id, authorized_at, capture_before) IN (0, 3)
        AND (hold_id IS NULL OR captured IS NOT NULL)
        AND (state NOT IN ('authorized', 'expired') OR hold_id IS NOT NULL)
    ),
    ADD CONSTRAINT reversed_once CHECK ((state = 'reversed') = (reversed_at IS NOT NULL));
CREATE UNIQUE INDEX hold_of_payment ON payments (hold_id) WHERE hold_id IS NOT NULL;

-- Whatever came to nothing leaves its order to the next payment.
DROP INDEX order_already_paid;
CREATE UNIQUE INDEX order_already_paid ON payments (order_id)
    WHERE order_id IS NOT NULL AND state NOT IN ('failed', 'canceled', 'expired', 'reversed');

-- Each time a merchant took of what was held, with the part of the price that came with it.
CREATE TABLE payment_captures (
    id          uuid PRIMARY KEY,
    payment_id  uuid NOT NULL REFERENCES payments,
    number      int  NOT NULL CHECK (number > 0),        -- 1, 2, 3, ... of its payment
    transfer_id uuid NOT NULL,                           -- the first of its unit
    amount      bigint NOT NULL CHECK (amount > 0),
    fee         bigint NOT NULL CHECK (fee >= 0),
    tax         bigint NOT NULL CHECK (tax >= 0),
    net         bigint NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT capture_exists UNIQUE (payment_id, number),
    CONSTRAINT capture_is_net_fee_and_tax CHECK (amount = net + fee + tax)
);
CREATE UNIQUE INDEX capture_of_unit ON payment_captures (transfer_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_captures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE fee_lines ADD capture int;                   -- the number of the capture it came with

-- What an operator moved back, and why.
CREATE TABLE reversals (
    id          uuid PRIMARY KEY,                        -- of the unit that moved it back
    original_id uuid NOT NULL,                           -- the unit, or the payment's first
    payment_id  uuid REFERENCES payments,
    reason      text NOT NULL,
    operator    text NOT NULL,                           -- the subject of the token
    created_at  timestamptz NOT NULL,
    CONSTRAINT already_reversed_once UNIQUE (original_id)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reversals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A batch is put together before its money is locked: what was reversed in between is not paid out.
CREATE FUNCTION check_settlement_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_lines l JOIN payments p ON p.id = l.payment_id
                WHERE p.state <> 'completed') THEN
        RAISE EXCEPTION 'a payment of the batch is not completed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_changed';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_settlement_lines AFTER INSERT ON settlement_lines
    REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION check_settlement_lines();

GRANT SELECT ON payment_captures, reversals TO florin_api, florin_worker;
GRANT INSERT ON payment_captures, reversals TO florin_api;
GRANT UPDATE (state, captured, fee, tax, net, changed_at, reversed_at) ON payments TO florin_api;
GRANT UPDATE (state, reason, lease, leased_until, changed_at) ON instructions TO florin_api;
GRANT UPDATE (hold_id, authorized_at, capture_before) ON payments TO florin_worker;
-- Taking a row from a list that several workers share locks it, and later is later.
GRANT UPDATE (expires_at) ON hold_expiries TO florin_worker;
