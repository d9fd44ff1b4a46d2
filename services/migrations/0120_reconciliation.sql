-- Banks' statements held against our accounts of our money there.

-- One time at which that was done, or is to be.
CREATE TABLE reconciliations (
    id            uuid PRIMARY KEY,
    bank          text NOT NULL,
    source        text NOT NULL CHECK (source IN ('bank', 'camt053', 'csv')),
    state         text NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed')),
    file_hash     bytea CHECK (octet_length(file_hash) = 32), -- SHA-256 of an uploaded file
    scheduled_for date,                                  -- the day of one that nobody asked for
    requested_by  text NOT NULL,
    attempts      int NOT NULL DEFAULT 0,                -- how often a worker began it
    lines         bigint NOT NULL DEFAULT 0,             -- of the statement
    fresh         bigint NOT NULL DEFAULT 0,             -- those that no earlier one had seen
    done          bigint NOT NULL DEFAULT 0,             -- of the fresh ones, while it runs
    counts        jsonb NOT NULL DEFAULT '{}',           -- of its items, by kind
    period_from   date,
    period_to     date,
    failure       text,
    due_at        timestamptz NOT NULL,                  -- a bank that is silent is asked again later
    created_at    timestamptz NOT NULL,
    completed_at  timestamptz,
    CONSTRAINT reconciliation_scheduled UNIQUE (bank, scheduled_for)
);
CREATE UNIQUE INDEX file_already_reconciled ON reconciliations (bank, file_hash)
    WHERE file_hash IS NOT NULL AND state <> 'failed';
CREATE INDEX ON reconciliations (bank, id);
CREATE INDEX unfinished_reconciliations ON reconciliations (due_at)
    WHERE state IN ('queued', 'running');

-- An uploaded file, compressed, until it has been read.
CREATE TABLE statement_files (
    upload_id   uuid NOT NULL,                           -- will be the reconciliation's id
    chunk       int NOT NULL,
    bytes       bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (upload_id, chunk)
);
ALTER TABLE statement_files ALTER bytes SET STORAGE EXTERNAL;

-- A statement line, or a transfer that no line shows, and what became of it. An id counts up from
-- its reconciliation's.
CREATE TABLE reconciliation_items (
    id                   uuid PRIMARY KEY,
    reconciliation_id    uuid NOT NULL,                  -- which found it
    bank                 text NOT NULL,
    kind                 text NOT NULL CHECK (kind IN
                           ('matched', 'unmatched_in_statement', 'unmatched_in_books',
                            'amount_differs', 'duplicate', 'late')),
    -- matched: there is nothing to do. merged: a later line shows the transfer; see there.
    state                text NOT NULL CHECK (state IN
                           ('matched', 'open', 'proposed', 'confirmed', 'corrected', 'merged')),
    currency             text NOT NULL,
    line                 bigint,                         -- its place in the statement
    line_identity        uuid,                           -- the same whenever the bank tells of it
    reference            text NOT NULL,
    bank_reference       text,
    statement_amount     bigint,                         -- positive: our money at the bank grew
    booked_at            timestamptz,
    description          text,                           -- null where nobody needs to read it
    instruction_id       uuid,
    transfer_id          uuid,
    books_amount         bigint,
    effective_at         timestamptz,
    proposed_transfer_id uuid,                           -- same amount, currency and day; not sure
    correction_id        uuid,                           -- the transfer that two operators agreed on
    resolved_by          text,
    approved_by          text,
    reason               text,
    resolved_at          timestamptz,
    CHECK ((line_identity IS NULL) = (statement_amount IS NULL)),
    CHECK ((transfer_id IS NULL) = (books_amount IS NULL)),
    CHECK ((state = 'proposed') = (proposed_transfer_id IS NOT NULL)),
    CHECK ((state IN ('confirmed', 'corrected')) = (resolved_at IS NOT NULL)),
    CHECK ((state = 'corrected') = (correction_id IS NOT NULL))
);
-- A line is reconciled once, a transfer is shown by one line, a correction corrects one item.
CREATE UNIQUE INDEX line_already_reconciled ON reconciliation_items (bank, line_identity)
    WHERE line_identity IS NOT NULL;
CREATE UNIQUE INDEX transfer_already_reconciled ON reconciliation_items (transfer_id)
    WHERE transfer_id IS NOT NULL AND state <> 'merged';
CREATE UNIQUE INDEX item_already_corrected ON reconciliation_items (correction_id)
    WHERE correction_id IS NOT NULL;
CREATE INDEX ON reconciliation_items (transfer_id) WHERE state = 'merged';
CREATE INDEX ON reconciliation_items (bank, reference);
CREATE INDEX open_items ON reconciliation_items (bank, id) WHERE state IN ('open', 'proposed');
CREATE INDEX ON reconciliation_items (reconciliation_id, kind, id) WHERE kind <> 'matched';

-- Up to which entry our account was read, and what all lines came to, the first opening balance
-- included.
CREATE TABLE reconciliation_totals (
    bank      text NOT NULL,
    currency  text NOT NULL,
    statement bigint NOT NULL,
    entry     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (bank, currency)
);

-- What a reconciliation came to, for each currency.
CREATE TABLE reconciliation_balances (
    reconciliation_id uuid NOT NULL REFERENCES reconciliations,
    currency          text NOT NULL,
    opening           bigint,                            -- as the statement says, where it does
    closing           bigint,
    statement         bigint NOT NULL,                   -- what all lines ever came to
    books             bigint NOT NULL,                   -- our account, when it was read
    unexplained       bigint NOT NULL CHECK (unexplained >= 0),
    open_items        bigint NOT NULL,
    PRIMARY KEY (reconciliation_id, currency)
);

-- By which lines and transfers of one reference are worked on together.
CREATE FUNCTION slice_of(key text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT get_byte(decode(md5(key), 'hex'), 0) $$;

GRANT SELECT ON reconciliations, statement_files, reconciliation_items, reconciliation_totals,
    reconciliation_balances TO florin_api, florin_worker;
GRANT INSERT ON reconciliations TO florin_api, florin_worker;
GRANT INSERT, DELETE ON statement_files TO florin_api;
GRANT DELETE ON statement_files TO florin_worker;
GRANT UPDATE (state, attempts, lines, fresh, done, counts, period_from, period_to, failure,
    due_at, completed_at) ON reconciliations TO florin_worker;
GRANT INSERT ON reconciliation_items, reconciliation_totals, reconciliation_balances
    TO florin_worker;
GRANT UPDATE (kind, state, instruction_id, transfer_id, books_amount, effective_at,
    proposed_transfer_id) ON reconciliation_items TO florin_worker;
GRANT UPDATE (statement, entry) ON reconciliation_totals TO florin_worker;
GRANT UPDATE (kind, state, transfer_id, books_amount, effective_at, proposed_transfer_id,
    correction_id, resolved_by, approved_by, reason, resolved_at) ON reconciliation_items
    TO florin_api;
DO $$
BEGIN
    -- What is being read lies in temporary tables.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO florin_worker', current_database());
END $$;
