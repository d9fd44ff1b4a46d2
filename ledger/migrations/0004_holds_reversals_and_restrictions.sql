-- Holds of several legs that are captured in parts, reversals, what an account is not open for,
-- and when a transfer counts if not from the moment it is recorded.

ALTER TABLE accounts
    ADD debits_frozen  boolean     NOT NULL DEFAULT false,   -- no new debits, holds included
    ADD credits_frozen boolean     NOT NULL DEFAULT false,
    ADD closed_at      timestamptz,                          -- nothing may be posted any more
    ADD closed_through timestamptz,                          -- end of the last closed period
    ADD metadata       jsonb       NOT NULL DEFAULT '{}',    -- opaque to the ledger
    ADD CONSTRAINT account_not_empty CHECK (
        closed_at IS NULL
        OR (debits_posted = credits_posted AND debits_pending = 0 AND credits_pending = 0)
    );
CREATE INDEX ON accounts USING gin (metadata jsonb_path_ops);
-- Entries arrive all over these: pages that were built full would all split soon.
ALTER INDEX debit_entry_exists SET (fillfactor = 70);
ALTER INDEX credit_entry_exists SET (fillfactor = 70);
-- A tenth of each page is enough for updates to stay on it, and large books fit into memory.
ALTER TABLE accounts SET (fillfactor = 90);

ALTER TABLE transfers
    ALTER effective_at DROP NOT NULL,                        -- null: when it was recorded
    ADD booked_at      timestamptz,                          -- when it counts, if its period was closed
    ADD expires_at     timestamptz,                          -- until when a pending may be posted
    ADD resolution     bigint,                               -- 1, 2, 3, ... of one pending transfer
    ADD reverses_id    uuid,                                 -- what a reversal mirrors
    -- Lets a reader tell what was committed since it last looked, and miss nothing.
    ADD transaction_id bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;

-- Whatever was resolved before was resolved whole.
ALTER TABLE transfers DISABLE TRIGGER append_only;
UPDATE transfers SET resolution = 1 WHERE pending_id IS NOT NULL;
ALTER TABLE transfers ENABLE TRIGGER append_only;

ALTER TABLE transfers
    DROP CONSTRAINT resolution_names_its_pending,
    ADD CONSTRAINT resolution_names_its_pending CHECK (
        (kind IN ('post', 'void')) = (pending_id IS NOT NULL)
        AND (pending_id IS NULL) = (resolution IS NULL)
    ),
    ADD CONSTRAINT reversal_names_its_original CHECK (
        (kind::text = 'reversal') = (reverses_id IS NOT NULL)
    ),
    ADD CONSTRAINT only_holds_expire CHECK (expires_at IS NULL OR kind = 'pending'),
    ADD CONSTRAINT effective_in_future CHECK (effective_at <= recorded_at + interval '1 minute');

DROP INDEX pending_transfer_resolved;
CREATE UNIQUE INDEX hold_resolved ON transfers (pending_id, resolution) WHERE pending_id IS NOT NULL;
CREATE UNIQUE INDEX already_reversed ON transfers (reverses_id) WHERE reverses_id IS NOT NULL;
CREATE INDEX late_debits ON transfers (debit_account_id, recorded_at) WHERE effective_at IS NOT NULL;
CREATE INDEX late_credits ON transfers (credit_account_id, recorded_at) WHERE effective_at IS NOT NULL;
-- Rows lie in the order in which they came, so a range of it is found by summaries of pages.
CREATE INDEX recent_transfers ON transfers USING brin (transaction_id)
    WITH (pages_per_range = 16, autosummarize = on);

-- Which type of account may be debited to which. Reversals go the other way.
CREATE TABLE allowed_postings (
    debit_type  text NOT NULL,
    credit_type text NOT NULL,
    PRIMARY KEY (debit_type, credit_type)
);
INSERT INTO allowed_postings
SELECT debit_type, unnest(string_to_array(credit_types, ' ')) FROM (VALUES
    ('wallet',   'wallet merchant transit bank fees tax fx suspense loss'),
    ('merchant', 'wallet reserve transit bank fees tax fx suspense loss'),
    ('reserve',  'wallet merchant transit bank suspense loss'),
    ('transit',  'bank wallet merchant reserve fees tax suspense'),
    ('bank',     'wallet merchant reserve fees bank fx suspense loss'),
    ('fees',     'merchant wallet transit bank fx loss'),
    ('tax',      'merchant wallet transit bank'),
    ('suspense', 'wallet merchant bank transit loss'),
    ('loss',     'wallet merchant reserve bank suspense fees fx rounding'),
    ('fx',       'wallet merchant fees rounding bank loss'),
    ('rounding', 'fx loss')
) AS chart (debit_type, credit_types);

-- Work for whoever voids holds that ran out: a list of what to look at, not a fact of the books.
CREATE TABLE hold_expiries (
    hold_id    uuid        NOT NULL PRIMARY KEY,             -- the unit that made it
    reference  uuid        NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON hold_expiries (expires_at);

-- What an account came to when one of its periods was closed.
CREATE TABLE closed_periods (
    account_id     uuid        NOT NULL REFERENCES accounts,
    closed_through timestamptz NOT NULL,
    balance        bigint      NOT NULL,                     -- minor units, on the normal side
    closed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT period_closed PRIMARY KEY (account_id, closed_through)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closed_periods
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DROP VIEW entries;
CREATE VIEW entries AS
    SELECT debit_account_id AS account_id, debit_entry AS entry, 'debit'::account_side AS side,
           id AS transfer_id, kind, code, reference, pending_id, reverses_id, amount, currency,
           debit_balance AS balance, credit_account_id AS other_account_id,
           coalesce(effective_at, recorded_at) AS effective_at,
           coalesce(booked_at, effective_at, recorded_at) AS booked_at, recorded_at
      FROM transfers
    UNION ALL
    SELECT credit_account_id, credit_entry, 'credit'::account_side,
           id, kind, code, reference, pending_id, reverses_id, amount, currency,
           credit_balance, debit_account_id,
           coalesce(effective_at, recorded_at), coalesce(booked_at, effective_at, recorded_at),
           recorded_at
      FROM transfers;

-- What a transfer may name and say, checked once for all rows of a statement: foreign keys would
-- look up both accounts of every row one by one, and cost twice as much. Nobody can tell the planner
-- how few new rows there are, so it would rather read all accounts for every group.
CREATE OR REPLACE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    fault text;
    has_origins boolean;
BEGIN
    SELECT min(CASE
             WHEN d.id IS NULL THEN 'debit_account_not_found'
             WHEN c.id IS NULL THEN 'credit_account_not_found'
             WHEN d.currency <> t.currency OR c.currency <> t.currency THEN 'currency_mismatch'
             WHEN t.debit_entry > d.last_entry OR t.credit_entry > c.last_entry
             THEN 'entry_out_of_order'
             WHEN d.closed_at IS NOT NULL OR c.closed_at IS NOT NULL THEN 'account_closed'
             WHEN (d.debits_frozen OR c.credits_frozen) AND t.pending_id IS NULL
             THEN 'account_frozen'
             WHEN coalesce(t.booked_at, t.effective_at, t.recorded_at)
                  < greatest(d.closed_through, c.closed_through) + interval '1 millisecond'
             THEN 'period_closed'
             WHEN t.reverses_id IS NULL AND (d.type, c.type) NOT IN (
                    SELECT debit_type, credit_type FROM allowed_postings)
             THEN 'posting_not_allowed'
           END),
           bool_or(t.pending_id IS NOT NULL OR t.reverses_id IS NOT NULL)
      INTO fault, has_origins
      FROM new_transfers t
      LEFT JOIN accounts d ON d.id = t.debit_account_id
      LEFT JOIN accounts c ON c.id = t.credit_account_id;
    IF fault IS NULL AND has_origins THEN
        SELECT CASE
                 WHEN o.id IS NULL THEN 'origin_not_found'
                 WHEN t.reverses_id IS NOT NULL THEN 'reversal_does_not_mirror'
                 WHEN o.kind <> 'pending' THEN 'hold_not_found'
                 ELSE 'amount_exceeds_hold'
               END
          INTO fault
          FROM new_transfers t
          LEFT JOIN transfers o ON o.id = coalesce(t.pending_id, t.reverses_id)
         WHERE (t.pending_id IS NOT NULL OR t.reverses_id IS NOT NULL)
           AND (o.id IS NULL
             OR CASE WHEN t.reverses_id IS NOT NULL
                THEN (o.kind NOT IN ('single', 'post')
                      OR (o.debit_account_id, o.credit_account_id, o.amount)
                         <> (t.credit_account_id, t.debit_account_id, t.amount))
                ELSE (o.kind <> 'pending'
                      OR (o.debit_account_id, o.credit_account_id)
                         <> (t.debit_account_id, t.credit_account_id)
                      OR o.amount < (SELECT sum(r.amount) FROM transfers r
                                      WHERE r.pending_id = t.pending_id))
                END)
         LIMIT 1;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'transfer refused: %', fault
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = fault;
    END IF;
    RETURN NULL;
END $$;

-- The number of the account's last entry at a moment, 0 before the first: entries are recorded in
-- the order of their numbers, so it is found by halving.
CREATE FUNCTION entry_at(account uuid, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low  bigint := 0;
    high bigint := (SELECT last_entry FROM accounts WHERE id = account);
    mid  bigint;
    at   timestamptz;
BEGIN
    WHILE low < high LOOP
        mid := (low + high + 1) / 2;
        SELECT recorded_at INTO STRICT at FROM (
            SELECT recorded_at FROM transfers WHERE debit_account_id = account AND debit_entry = mid
            UNION ALL
            SELECT recorded_at FROM transfers WHERE credit_account_id = account AND credit_entry = mid
        ) entry;
        IF at <= moment THEN low := mid; ELSE high := mid - 1; END IF;
    END LOOP;
    RETURN low;
END $$;

GRANT SELECT ON entries, allowed_postings TO florin_ledger;
GRANT SELECT, INSERT ON closed_periods TO florin_ledger;
GRANT SELECT, INSERT, DELETE ON hold_expiries TO florin_ledger;
GRANT UPDATE (debits_frozen, credits_frozen, closed_at, closed_through, metadata)
    ON accounts TO florin_ledger;
