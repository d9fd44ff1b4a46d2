-- What of each capture went to others, and what they gave back of it when it was refunded. The
-- line is that of payment_splits, which says for what is captured later what would go of all of it.
CREATE TABLE capture_splits (
    capture_id uuid   NOT NULL REFERENCES payment_captures,
    payment_id uuid   NOT NULL,
    line       int    NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (capture_id, line),
    FOREIGN KEY (payment_id, line) REFERENCES payment_splits
);
CREATE INDEX ON capture_splits (payment_id);

CREATE TABLE refund_splits (
    refund_id    uuid   NOT NULL REFERENCES refunds,
    payment_id   uuid   NOT NULL,
    line         int    NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),     -- its part of what went back
    from_balance bigint NOT NULL CHECK (from_balance >= 0),
    from_reserve bigint NOT NULL CHECK (from_reserve >= 0),
    from_limit   bigint NOT NULL CHECK (from_limit >= 0), -- what the beneficiary owes us for it
    from_payee   bigint NOT NULL CHECK (from_payee >= 0), -- paid for it by whose order it is
    PRIMARY KEY (refund_id, line),
    FOREIGN KEY (payment_id, line) REFERENCES payment_splits,
    CONSTRAINT share_is_paid_for CHECK (
        from_balance + from_reserve + from_limit + from_payee = amount
    )
);
CREATE INDEX ON refund_splits (payment_id);

ALTER TABLE refunds
    ADD shares_returned bigint NOT NULL DEFAULT 0 CHECK (shares_returned >= 0),
    DROP CONSTRAINT refund_is_paid_for,
    ADD CONSTRAINT refund_is_paid_for CHECK (
        from_balance + from_reserve + from_limit
            = greatest(amount - fee_returned - tax_returned - shares_returned, 0)
    );

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['capture_splits', 'refund_splits'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END $$;
GRANT SELECT ON capture_splits, refund_splits TO florin_api, florin_worker;
GRANT INSERT ON capture_splits, refund_splits TO florin_api;
