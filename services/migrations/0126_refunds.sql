-- Money that goes back from a merchant to who paid, and money that is kept for when it has to.

ALTER TABLE payments
    ADD refunded bigint NOT NULL DEFAULT 0,              -- so far, minor units, as is
    ADD disputed bigint NOT NULL DEFAULT 0,              -- what is in disputes that are open or lost
    ADD CONSTRAINT refund_exceeds_capture CHECK (
        refunded >= 0 AND disputed >= 0 AND refunded + disputed <= coalesce(captured, amount)
    ),
    ADD CONSTRAINT only_orders_are_refunded CHECK (kind = 'order' OR refunded + disputed = 0);

CREATE TABLE refunds (
    id           uuid PRIMARY KEY,
    payment_id   uuid NOT NULL REFERENCES payments,
    merchant_id  uuid NOT NULL REFERENCES merchants,
    number       int NOT NULL CHECK (number > 0),        -- 1, 2, 3, ... of its payment
    transfer_id  uuid NOT NULL,                          -- the first of its unit
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text NOT NULL,
    fee_returned bigint NOT NULL CHECK (fee_returned >= 0),
    tax_returned bigint NOT NULL CHECK (tax_returned >= 0),
    from_balance bigint NOT NULL CHECK (from_balance >= 0),
    from_reserve bigint NOT NULL CHECK (from_reserve >= 0),
    from_limit   bigint NOT NULL CHECK (from_limit >= 0), -- what the merchant owes us for it
    reason       text,
    created_at   timestamptz NOT NULL,
    CONSTRAINT refund_exists UNIQUE (payment_id, number),
    CONSTRAINT refund_is_paid_for CHECK (
        from_balance + from_reserve + from_limit = greatest(amount - fee_returned - tax_returned, 0)
    )
);
CREATE INDEX ON refunds (merchant_id, id);

-- What is kept back from a merchant, from when on. The newest of each kind that is valid counts;
-- one of nothing ends those before it.
CREATE TABLE reserve_rules (
    id          uuid PRIMARY KEY,
    merchant_id uuid NOT NULL REFERENCES merchants,
    currency    text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('fixed', 'rolling')),
    amount      bigint CHECK (amount >= 0),              -- fixed: so much at most
    percent     numeric CHECK (percent >= 0 AND percent <= 100),
    days        int CHECK (days > 0),                    -- rolling: for so long
    valid_from  timestamptz NOT NULL,
    created_by  text NOT NULL,
    approved_by text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT reserve_rule_exists UNIQUE (merchant_id, currency, kind, valid_from),
    CONSTRAINT kind_has_its_terms CHECK (
        (kind = 'fixed') = (amount IS NOT NULL)
        AND (kind = 'rolling') = (percent IS NOT NULL)
        AND (kind = 'rolling') = (days IS NOT NULL)
    )
);

-- What was kept back by a rule from some entries of the merchant's account.
CREATE TABLE reserves (
    id          uuid PRIMARY KEY,
    merchant_id uuid NOT NULL REFERENCES merchants,
    currency    text NOT NULL,
    rule_id     uuid NOT NULL REFERENCES reserve_rules,
    kind        text NOT NULL CHECK (kind IN ('fixed', 'rolling')),
    day         date NOT NULL,                           -- on which the merchant was paid, UTC
    transfer_id uuid NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    remaining   bigint NOT NULL,
    from_entry  bigint NOT NULL,                         -- of the account: after this,
    to_entry    bigint NOT NULL,                         -- up to this
    release_at  timestamptz,                             -- null: while the rule asks for it
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    CONSTRAINT reserve_exceeded CHECK (remaining BETWEEN 0 AND amount),
    CONSTRAINT rolling_reserves_end CHECK ((kind = 'rolling') = (release_at IS NOT NULL))
);
CREATE INDEX ON reserves (merchant_id, currency, id);
CREATE INDEX ON reserves (release_at) WHERE remaining > 0;

-- Up to which entry of its account a merchant was looked at for reserves.
CREATE TABLE reserve_marks (
    merchant_id uuid NOT NULL REFERENCES merchants,
    currency    text NOT NULL,
    last_entry  bigint NOT NULL,
    PRIMARY KEY (merchant_id, currency)
);

-- What a dispute costs a merchant, and how long it has to answer; the newest that is valid counts.
CREATE TABLE dispute_terms (
    id            uuid PRIMARY KEY,
    merchant_id   uuid NOT NULL REFERENCES merchants,
    currency      text NOT NULL,
    fee           bigint NOT NULL CHECK (fee >= 0),
    evidence_days int NOT NULL CHECK (evidence_days > 0),
    valid_from    timestamptz NOT NULL,
    created_by    text NOT NULL,
    approved_by   text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT dispute_terms_exist UNIQUE (merchant_id, currency, valid_from)
);

CREATE TABLE disputes (
    id              uuid PRIMARY KEY,
    payment_id      uuid NOT NULL REFERENCES payments,
    merchant_id     uuid NOT NULL REFERENCES merchants,
    transfer_id     uuid NOT NULL,                       -- of the unit that took the money
    amount          bigint NOT NULL CHECK (amount > 0),
    fee             bigint NOT NULL CHECK (fee >= 0),
    currency        text NOT NULL,
    reason          text NOT NULL,
    state           text NOT NULL CHECK (state IN
                      ('needs_evidence', 'under_review', 'won', 'lost', 'reversed')),
    opened_by       text NOT NULL,                       -- 'payer', or an operator's name
    evidence_due_at timestamptz NOT NULL,
    from_balance    bigint NOT NULL CHECK (from_balance >= 0),
    from_reserve    bigint NOT NULL CHECK (from_reserve >= 0),
    from_limit      bigint NOT NULL CHECK (from_limit >= 0),
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT dispute_is_paid_for CHECK (from_balance + from_reserve + from_limit = amount + fee)
);
CREATE INDEX ON disputes (merchant_id, id);
CREATE INDEX ON disputes (payment_id, id);
CREATE INDEX ON disputes (evidence_due_at) WHERE state = 'needs_evidence';
CREATE UNIQUE INDEX dispute_exists ON disputes (payment_id)
    WHERE state IN ('needs_evidence', 'under_review');

-- What the merchant says for itself: words, and the digest of a file that it keeps.
CREATE TABLE dispute_evidence (
    id          uuid PRIMARY KEY,
    dispute_id  uuid NOT NULL REFERENCES disputes,
    number      int NOT NULL CHECK (number > 0),
    text        text NOT NULL,
    file_name   text,
    file_sha256 bytea CHECK (length(file_sha256) = 32),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT evidence_exists UNIQUE (dispute_id, number),
    CHECK ((file_name IS NULL) = (file_sha256 IS NULL))
);

-- Every step of a dispute, with the money that moved by it.
CREATE TABLE dispute_steps (
    dispute_id  uuid NOT NULL REFERENCES disputes,
    number      int NOT NULL CHECK (number > 0),
    event       text NOT NULL,
    state       text NOT NULL,                           -- after it
    by          text NOT NULL,                           -- who says so; "worker" for the clock
    note        text,
    transfer_id uuid,
    at          timestamptz NOT NULL,
    PRIMARY KEY (dispute_id, number)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['refunds', 'reserve_rules', 'dispute_terms', 'dispute_evidence',
                                'dispute_steps'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END $$;

GRANT SELECT ON refunds, reserve_rules, reserves, reserve_marks, dispute_terms, disputes,
    dispute_evidence, dispute_steps TO florin_api, florin_worker;
GRANT INSERT ON refunds, reserve_rules, dispute_terms, disputes, dispute_evidence, dispute_steps
    TO florin_api;
GRANT INSERT ON reserves, reserve_marks TO florin_api, florin_worker;
GRANT INSERT ON dispute_steps TO florin_worker;
GRANT UPDATE (refunded, disputed) ON payments TO florin_api;
GRANT UPDATE (disputed) ON payments TO florin_worker;
GRANT UPDATE (remaining, changed_at) ON reserves TO florin_api, florin_worker;
GRANT UPDATE (last_entry) ON reserve_marks TO florin_api, florin_worker;
GRANT UPDATE (state, changed_at) ON disputes TO florin_api, florin_worker;
