-- Risk: rules that are dated data, what they answered, and payments that a person must look at.

ALTER TABLE people    ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');  -- ISO 3166-1
ALTER TABLE merchants ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');

-- A rule is added, and ended; what it says never changes.
CREATE TABLE risk_rules (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN
                       ('amount', 'velocity', 'new_payee', 'hour', 'country', 'list')),
    parameters       jsonb NOT NULL,
    rails            jsonb NOT NULL,                     -- the ways of moving money it is about
    tier             text,                               -- of the payer; null for all
    currency         text,                               -- null for all
    verdict          text NOT NULL CHECK (verdict IN ('step_up', 'hold', 'refuse')),
    when_unavailable text NOT NULL CHECK (when_unavailable IN
                       ('allow', 'step_up', 'hold', 'refuse')),
    reason           text NOT NULL,
    valid_from       timestamptz NOT NULL,
    valid_to         timestamptz,
    created_by       text NOT NULL,                      -- the subject of the operator
    ended_by         text,
    created_at       timestamptz NOT NULL,
    CHECK (valid_to >= valid_from),
    CHECK ((valid_to IS NULL) = (ended_by IS NULL))
);
CREATE INDEX ON risk_rules (valid_to);

-- Every answer that was not "allow", with what it rests on. No names: what was asked is in facts.
CREATE TABLE risk_assessments (
    id              uuid PRIMARY KEY,
    person_id       uuid NOT NULL REFERENCES people,
    idempotency_key text NOT NULL,                       -- of the request; payments keep it too
    rail            text NOT NULL,
    verdict         text NOT NULL CHECK (verdict IN ('step_up', 'hold', 'refuse')),
    rules           jsonb NOT NULL,                      -- ids of those that answered so
    reasons         jsonb NOT NULL,
    facts           jsonb NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX ON risk_assessments (person_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_assessments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A payment that waits for a person's word. While it waits its state is `review`, and whoever moves
-- it locks the payment first.
CREATE TABLE reviews (
    id            uuid PRIMARY KEY,
    payment_id    uuid NOT NULL REFERENCES payments,
    assessment_id uuid NOT NULL REFERENCES risk_assessments,
    state         text NOT NULL CHECK (state IN
                    ('pending', 'released', 'refused', 'expired', 'canceled')),
    hold_id       uuid,                                  -- the unit that holds the money, if any
    evidence      bytea,                                 -- of the approval, sealed with what follows
    due_at        timestamptz NOT NULL,
    decided_by    text,                                  -- the operator; null for the clock, the payer
    approved_by   text,                                  -- the second operator, of a release
    decided_at    timestamptz,
    reason        text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT review_exists UNIQUE (payment_id),
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state IN ('released', 'refused')) = (decided_by IS NOT NULL))
);
CREATE UNIQUE INDEX review_of_hold ON reviews (hold_id) WHERE hold_id IS NOT NULL;
CREATE INDEX reviews_due ON reviews (state, due_at, id);

ALTER TABLE payments
    ADD review_due_at timestamptz,                       -- it waited for a review, until then at most
    ADD released_at   timestamptz,                       -- a person let it go on
    DROP CONSTRAINT payments_state_check,
    ADD CONSTRAINT payments_state_check CHECK (state IN ('processing', 'review', 'authorized',
        'completed', 'failed', 'canceled', 'expired', 'reversed')),
    ADD CONSTRAINT reviewed_or_not CHECK (
        (released_at IS NULL OR review_due_at IS NOT NULL)
        AND (state <> 'review' OR (review_due_at IS NOT NULL AND released_at IS NULL))
    );

GRANT SELECT ON risk_rules, risk_assessments, reviews TO florin_api, florin_worker;
GRANT INSERT ON risk_rules, risk_assessments, reviews TO florin_api;
GRANT UPDATE (valid_to, ended_by) ON risk_rules TO florin_api;
GRANT UPDATE (state, decided_by, approved_by, decided_at, reason) ON reviews TO florin_api;
GRANT UPDATE (state, decided_at) ON reviews TO florin_worker;
GRANT UPDATE (country) ON people, merchants TO florin_api;
-- What a review decides happens in the API, with the money.
GRANT UPDATE (failure, transfer_id, hold_id, authorized_at, capture_before, released_at)
    ON payments TO florin_api;
