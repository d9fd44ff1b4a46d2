-- What the business keeps beside the books. Constraints that a request can break are named for
-- what went wrong; the name is the error code. Ids are UUIDv7; amounts are minor units.

CREATE TABLE people (
    id         uuid PRIMARY KEY,
    issuer     text NOT NULL,                            -- of the person's tokens, with their subject
    subject    text NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_exists UNIQUE (issuer, subject)
);

CREATE TABLE merchants (
    id         uuid PRIMARY KEY,
    subject    text NOT NULL,                            -- of the tokens that act for the merchant
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT merchant_subject_exists UNIQUE (subject)
);

-- People and merchants share one space of names, so that @alias means one payee.
CREATE TABLE aliases (
    alias       text NOT NULL,
    person_id   uuid REFERENCES people,
    merchant_id uuid REFERENCES merchants,
    CONSTRAINT alias_taken PRIMARY KEY (alias),
    CHECK (num_nonnulls(person_id, merchant_id) = 1)
);
CREATE UNIQUE INDEX ON aliases (person_id) WHERE person_id IS NOT NULL;
CREATE UNIQUE INDEX ON aliases (merchant_id) WHERE merchant_id IS NOT NULL;

CREATE TABLE pins (
    person_id    uuid PRIMARY KEY REFERENCES people,
    hash         text NOT NULL,                          -- argon2id of the peppered PIN, PHC string
    failed       int  NOT NULL DEFAULT 0,                -- attempts begun since the last success
    locked_until timestamptz,
    changed_at   timestamptz NOT NULL
);

CREATE TABLE bank_accounts (
    id         uuid PRIMARY KEY,
    owner      text NOT NULL,                            -- per_... or mer_...
    bank       text NOT NULL,
    number     text NOT NULL,
    holder     text NOT NULL,
    name_check text NOT NULL CHECK (name_check IN ('match', 'close_match', 'not_possible')),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX bank_account_exists ON bank_accounts (owner, bank, number)
    WHERE deleted_at IS NULL;

-- Prices are dated: a payment keeps the id of the schedule that priced it.
CREATE TABLE fee_schedules (
    id          uuid PRIMARY KEY,
    merchant_id uuid NOT NULL REFERENCES merchants,
    percent     numeric NOT NULL CHECK (percent >= 0 AND percent <= 100),
    fixed       bigint  NOT NULL CHECK (fixed >= 0),     -- minor units of currency
    tax_percent numeric NOT NULL CHECK (tax_percent >= 0 AND tax_percent <= 100),
    currency    text    NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz
);
CREATE UNIQUE INDEX fee_schedule_exists ON fee_schedules (merchant_id, currency, valid_from);

CREATE TABLE orders (
    id          uuid PRIMARY KEY,
    merchant_id uuid NOT NULL REFERENCES merchants,
    reference   text NOT NULL,                           -- the merchant's own number
    description text NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT order_reference_exists UNIQUE (merchant_id, reference)
);

-- What somebody asked for. Its money is in the books under transfer_id, the first of its transfers.
CREATE TABLE payments (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('person', 'order', 'top_up', 'withdrawal')),
    state           text NOT NULL CHECK (state IN ('processing', 'completed', 'failed')),
    payer_id        uuid NOT NULL,                       -- a person
    payee_id        uuid,                                -- a person or a merchant
    order_id        uuid REFERENCES orders,
    bank_account_id uuid REFERENCES bank_accounts,       -- when a bank takes part
    fee_schedule_id uuid REFERENCES fee_schedules,
    transfer_id     uuid NOT NULL,
    amount          bigint NOT NULL CHECK (amount > 0),
    fee             bigint NOT NULL CHECK (fee >= 0),
    tax             bigint NOT NULL CHECK (tax >= 0),
    net             bigint NOT NULL CHECK (net >= 0),
    currency        text NOT NULL,
    note            text,
    approval        text NOT NULL CHECK (approval IN ('pin', 'none')),
    approval_digest bytea NOT NULL,                      -- of exactly what was approved
    failure         text,                                -- the code that failed it
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT gross_is_net_fee_and_tax CHECK (amount = net + fee + tax),
    CHECK ((state = 'failed') = (failure IS NOT NULL))
);
CREATE UNIQUE INDEX order_already_paid ON payments (order_id)
    WHERE order_id IS NOT NULL AND state <> 'failed';
CREATE INDEX ON payments (payer_id, id);
CREATE INDEX ON payments (payee_id, id) WHERE payee_id IS NOT NULL;

CREATE TABLE fee_lines (
    payment_id  uuid NOT NULL REFERENCES payments,
    line        int  NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('percent', 'fixed', 'tax')),
    amount      bigint NOT NULL CHECK (amount >= 0),
    description text NOT NULL,
    PRIMARY KEY (payment_id, line)
);

-- A batch that says which payments a payout covers.
CREATE TABLE settlements (
    id              uuid PRIMARY KEY,
    merchant_id     uuid NOT NULL REFERENCES merchants,
    bank_account_id uuid NOT NULL REFERENCES bank_accounts,
    transfer_id     uuid NOT NULL,
    state           text NOT NULL CHECK (state IN ('processing', 'settled', 'failed', 'returned')),
    payments        int NOT NULL CHECK (payments > 0),
    gross           bigint NOT NULL,
    fee             bigint NOT NULL,
    tax             bigint NOT NULL,
    net             bigint NOT NULL CHECK (net > 0),
    currency        text NOT NULL,
    failure         text,
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT batch_is_net_fee_and_tax CHECK (gross = net + fee + tax)
);
CREATE INDEX ON settlements (merchant_id, id);

-- A payment is in one batch at a time; a failed batch releases its payments for the next.
CREATE TABLE settlement_lines (
    settlement_id uuid NOT NULL REFERENCES settlements,
    payment_id    uuid NOT NULL REFERENCES payments,
    gross         bigint NOT NULL,
    fee           bigint NOT NULL,
    tax           bigint NOT NULL,
    net           bigint NOT NULL,
    released      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (settlement_id, payment_id)
);
CREATE UNIQUE INDEX payment_already_settled ON settlement_lines (payment_id) WHERE NOT released;

-- What a bank was told to do. The reference is the bank's idempotency key, for ever.
CREATE TABLE instructions (
    id               uuid PRIMARY KEY,
    reference        text NOT NULL,
    bank             text NOT NULL,
    direction        text NOT NULL CHECK (direction IN ('debit', 'credit')),
    purpose          text NOT NULL CHECK (purpose IN ('payment', 'top_up', 'withdrawal', 'settlement')),
    subject_id       uuid NOT NULL,                      -- the payment or the settlement
    bank_account_id  uuid NOT NULL REFERENCES bank_accounts,
    owner_account_id uuid NOT NULL,                      -- whose money it is, in the books
    transfer_id      uuid NOT NULL,                      -- the hold, or the movement to transit
    amount           bigint NOT NULL CHECK (amount > 0),
    currency         text NOT NULL,
    state            text NOT NULL CHECK (state IN
                       ('created', 'sent', 'unknown', 'settled', 'rejected', 'returned', 'manual')),
    reason           text,
    submissions      int NOT NULL DEFAULT 0,
    enquiries        int NOT NULL DEFAULT 0,
    sent_at          timestamptz,                        -- of the first submission
    next_at          timestamptz NOT NULL,               -- when there is something to do again
    lease            int NOT NULL DEFAULT 0,             -- fencing: only the newest holder may write
    leased_until     timestamptz,
    created_at       timestamptz NOT NULL,
    changed_at       timestamptz NOT NULL,
    CONSTRAINT instruction_reference_exists UNIQUE (reference),
    CONSTRAINT instruction_exists UNIQUE (purpose, subject_id)
);
CREATE INDEX ON instructions (next_at) WHERE state IN ('created', 'sent', 'unknown');

-- What banks called back with, kept before it is answered; a copy is recognised for ever.
CREATE TABLE callbacks (
    id          uuid PRIMARY KEY,
    bank        text NOT NULL,
    event_id    text NOT NULL,
    reference   text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('settled', 'rejected', 'returned')),
    amount      bigint NOT NULL,
    currency    text NOT NULL,
    reason      text,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    disposition text NOT NULL DEFAULT 'received'
                CHECK (disposition IN ('received', 'applied', 'duplicate', 'contradiction')),
    CONSTRAINT callback_exists UNIQUE (bank, event_id)
);
CREATE INDEX ON callbacks (received_at) WHERE disposition = 'received';

CREATE TABLE events (
    id          uuid PRIMARY KEY,
    type        text NOT NULL,                           -- payment.completed, settlement.settled, ...
    object_id   text NOT NULL,                           -- pay_..., set_...
    merchant_id uuid,                                    -- the merchant who may read it
    data        json NOT NULL,                           -- the object as the API shows it
    created_at  timestamptz NOT NULL
);
CREATE INDEX ON events (merchant_id, id) WHERE merchant_id IS NOT NULL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fee_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
