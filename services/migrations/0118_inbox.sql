-- Everything a bank ever tells us goes through one inbox: callbacks, files, answers to enquiries.

-- Files that were fetched from a bank. A copy is recognised for ever by the sender's message id.
CREATE TABLE bank_files (
    id          uuid PRIMARY KEY,
    bank        text NOT NULL,
    message_id  text NOT NULL,
    name        text NOT NULL,
    events      int NOT NULL CHECK (events >= 0),
    digest      bytea NOT NULL,                          -- SHA-256 of what its events say
    received_at timestamptz NOT NULL,
    contradicted_at timestamptz,                         -- when another file came under its id
    CONSTRAINT bank_file_exists UNIQUE (bank, message_id)
);

-- Who fetches from a bank now. Fencing: only the newest holder may write a file down.
CREATE TABLE bank_collections (
    bank         text PRIMARY KEY,
    lease        int NOT NULL,
    leased_until timestamptz NOT NULL
);

ALTER TABLE callbacks
    DROP CONSTRAINT callbacks_outcome_check,
    ADD CONSTRAINT callbacks_outcome_check
        CHECK (outcome IN ('settled', 'rejected', 'returned', 'received', 'recall_refused')),
    DROP CONSTRAINT callbacks_disposition_check,
    ADD CONSTRAINT callbacks_disposition_check
        CHECK (disposition IN ('received', 'orphan', 'applied', 'duplicate', 'contradiction', 'parked')),
    DROP CONSTRAINT callbacks_source_check,
    ADD CONSTRAINT callbacks_source_check
        CHECK (source IN ('callback', 'file', 'enquiry', 'operator')),
    ADD file_id uuid REFERENCES bank_files,
    ADD remittance_sealed bytea,                         -- they may name people
    ADD sender_sealed bytea,
    ADD owner text,                                      -- whose the money turned out to be
    ADD looks int NOT NULL DEFAULT 0,                    -- how often it was looked at, counted before
    ADD next_at timestamptz NOT NULL DEFAULT now(),      -- when the sweep rings for it again
    ADD contradicted_at timestamptz;                     -- when its id came with other contents
CREATE INDEX callbacks_due ON callbacks (next_at) WHERE disposition IN ('received', 'orphan');
CREATE INDEX callbacks_for_people ON callbacks (disposition, id)
    WHERE disposition IN ('orphan', 'contradiction', 'parked');
DROP INDEX callbacks_received_at_idx;

-- Money that came without our asking: in `suspense` until it is known whose it is.
CREATE TABLE incoming_money (
    id              uuid PRIMARY KEY REFERENCES callbacks,
    bank            text NOT NULL,
    reference       text NOT NULL,                       -- the bank's own
    amount          bigint NOT NULL CHECK (amount > 0),
    currency        text NOT NULL,
    suspense_id     uuid NOT NULL,                       -- the account where it waits
    transfer_id     uuid NOT NULL,                       -- bank -> suspense
    state           text NOT NULL CHECK (state IN ('unmatched', 'matched')),
    received_at     timestamptz NOT NULL,
    owner           text,                                -- per_... or mer_...
    match_id        uuid,                                -- the transfer suspense -> owner
    matched_by      text,                                -- `rule:...`, or the operator
    approved_by     text,
    matched_at      timestamptz,
    CHECK ((state = 'matched') = (num_nonnulls(owner, match_id, matched_by, matched_at) = 4))
);
CREATE INDEX ON incoming_money (state, id);
CREATE INDEX ON incoming_money (owner) WHERE owner IS NOT NULL;

-- Money of settled credits that we want back. The reference is the bank's idempotency key.
CREATE TABLE recalls (
    id             uuid PRIMARY KEY,
    reference      text NOT NULL UNIQUE,
    instruction_id uuid NOT NULL REFERENCES instructions,
    reason         text NOT NULL,
    note           text NOT NULL,
    operator       text NOT NULL,
    approved_by    text,
    state          text NOT NULL CHECK (state IN
                     ('requested', 'sent', 'unknown', 'accepted', 'returned', 'refused', 'manual')),
    outcome_reason text,
    submissions    int NOT NULL DEFAULT 0,
    next_at        timestamptz NOT NULL,
    lease          int NOT NULL DEFAULT 0,
    leased_until   timestamptz,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL
);
-- Who was refused may ask again with another reason.
CREATE UNIQUE INDEX recall_exists ON recalls (instruction_id) WHERE state <> 'refused';
CREATE INDEX ON recalls (next_at) WHERE state IN ('requested', 'sent', 'unknown', 'accepted');

-- Instructions that are handed over together. The reference is the bank's idempotency key.
CREATE TABLE instruction_batches (
    id           uuid PRIMARY KEY,
    reference    text NOT NULL UNIQUE,
    bank         text NOT NULL,
    instructions int NOT NULL CHECK (instructions > 0),
    state        text NOT NULL CHECK (state IN ('created', 'handed_over', 'unknown')),
    reason       text,
    submissions  int NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL,
    lease        int NOT NULL DEFAULT 0,
    leased_until timestamptz,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL
);
CREATE INDEX ON instruction_batches (next_at) WHERE state <> 'handed_over';
ALTER TABLE instructions ADD batch_id uuid REFERENCES instruction_batches;
CREATE INDEX ON instructions (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX ON instructions (bank, id) WHERE state = 'created';

GRANT SELECT ON bank_files, bank_collections, incoming_money, recalls, instruction_batches
    TO florin_api, florin_worker;

GRANT UPDATE (contradicted_at, owner) ON callbacks TO florin_api, florin_worker;
GRANT INSERT ON callbacks TO florin_worker;
GRANT UPDATE (looks, next_at) ON callbacks TO florin_worker;
GRANT INSERT ON bank_files, bank_collections, incoming_money, instruction_batches TO florin_worker;
GRANT UPDATE (contradicted_at) ON bank_files TO florin_worker;
GRANT UPDATE (lease, leased_until) ON bank_collections TO florin_worker;
GRANT UPDATE (state, owner, match_id, matched_by, approved_by, matched_at) ON incoming_money
    TO florin_api, florin_worker;
GRANT INSERT ON recalls TO florin_api;
GRANT UPDATE (state, outcome_reason, submissions, next_at, lease, leased_until, changed_at)
    ON recalls TO florin_worker;
GRANT UPDATE (state, reason, submissions, next_at, lease, leased_until, changed_at)
    ON instruction_batches TO florin_worker;
GRANT UPDATE (batch_id) ON instructions TO florin_worker;

-- What was sealed goes when the person it was for is erased; rotation seals it anew.
GRANT UPDATE (remittance_sealed, sender_sealed) ON callbacks TO florin_api;
