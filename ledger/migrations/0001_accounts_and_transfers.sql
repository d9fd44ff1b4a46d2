-- The book of record. Money moves by INSERT into transfers and in no other way.
-- Constraint names are the ledger's error codes: Postgres refuses, and says why.

CREATE TYPE account_side AS ENUM ('debit', 'credit');
CREATE TYPE transfer_kind AS ENUM ('single', 'pending', 'post', 'void');

-- Totals only grow, except the pending ones; a balance is a difference of totals, never a sum of rows.
-- Half of each page is left free so that an update stays on its page and touches no index (HOT).
CREATE TABLE accounts (
    id              uuid         NOT NULL,
    debits_posted   bigint       NOT NULL DEFAULT 0,     -- minor units, as are all totals
    credits_posted  bigint       NOT NULL DEFAULT 0,
    debits_pending  bigint       NOT NULL DEFAULT 0,
    credits_pending bigint       NOT NULL DEFAULT 0,
    last_entry      bigint       NOT NULL DEFAULT 0,     -- the number of the account's newest entry
    floor           bigint,                              -- available may not fall below; null: no limit
    opened_at       timestamptz  NOT NULL DEFAULT now(),
    normal_side     account_side NOT NULL,               -- the side on which the account grows
    currency        text         NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    type            text         NOT NULL,               -- its place in the chart of accounts
    owner           text         NOT NULL,               -- whose it is; opaque to the ledger

    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT account_exists UNIQUE (owner, type, currency),
    CONSTRAINT totals_not_negative CHECK (
        debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0
    ),
    CONSTRAINT insufficient_funds CHECK (
        floor IS NULL
        OR (normal_side = 'credit' AND credits_posted - debits_posted - debits_pending >= floor)
        OR (normal_side = 'debit' AND debits_posted - credits_posted - credits_pending >= floor)
    )
) WITH (fillfactor = 50);

-- One row is the whole truth of one movement: both sides' entry numbers and balances after it.
-- The transfers of one unit have consecutive ids, so the first id names them all.
CREATE TABLE transfers (
    id                uuid          NOT NULL,
    debit_account_id  uuid          NOT NULL,
    credit_account_id uuid          NOT NULL,
    reference         uuid          NOT NULL,            -- what it is for; opaque to the ledger
    pending_id        uuid,                              -- what a post or void resolves
    amount            bigint        NOT NULL,            -- minor units
    debit_entry       bigint        NOT NULL,            -- 1, 2, 3, ... per account, both sides counted
    credit_entry      bigint        NOT NULL,
    debit_balance     bigint        NOT NULL,            -- posted balance after, on the normal side
    credit_balance    bigint        NOT NULL,
    effective_at      timestamptz   NOT NULL,            -- when it happened in the world
    recorded_at       timestamptz   NOT NULL DEFAULT statement_timestamp(),
    kind              transfer_kind NOT NULL,
    currency          text          NOT NULL,
    code              text          NOT NULL,            -- why: payment, fee, top_up, ...

    CONSTRAINT transfer_exists PRIMARY KEY (id),
    CONSTRAINT amount_not_positive CHECK (amount > 0),
    CONSTRAINT same_account CHECK (debit_account_id <> credit_account_id),
    CONSTRAINT resolution_names_its_pending CHECK (
        (kind IN ('post', 'void')) = (pending_id IS NOT NULL)
    )
);

CREATE UNIQUE INDEX debit_entry_exists ON transfers (debit_account_id, debit_entry);
CREATE UNIQUE INDEX credit_entry_exists ON transfers (credit_account_id, credit_entry);
CREATE UNIQUE INDEX pending_transfer_resolved ON transfers (pending_id) WHERE pending_id IS NOT NULL;

-- Both sides of every transfer, as an account's owner reads them.
CREATE VIEW entries AS
    SELECT debit_account_id AS account_id, debit_entry AS entry, 'debit'::account_side AS side,
           id AS transfer_id, kind, code, reference, pending_id, amount, currency,
           debit_balance AS balance, credit_account_id AS other_account_id, effective_at, recorded_at
      FROM transfers
    UNION ALL
    SELECT credit_account_id, credit_entry, 'credit'::account_side,
           id, kind, code, reference, pending_id, amount, currency,
           credit_balance, debit_account_id, effective_at, recorded_at
      FROM transfers;

-- History is refused a change by everybody, the owner of the table included.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'append_only';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a transfer may name and say, checked once for all rows of a statement: foreign keys would
-- look up both accounts of every row one by one, and cost twice as much.
CREATE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT CASE
             WHEN d.id IS NULL THEN 'debit_account_not_found'
             WHEN c.id IS NULL THEN 'credit_account_not_found'
             WHEN d.currency <> t.currency OR c.currency <> t.currency THEN 'currency_mismatch'
             ELSE 'entry_out_of_order'
           END
      INTO fault
      FROM new_transfers t
      LEFT JOIN accounts d ON d.id = t.debit_account_id
      LEFT JOIN accounts c ON c.id = t.credit_account_id
     WHERE d.currency IS DISTINCT FROM t.currency
        OR c.currency IS DISTINCT FROM t.currency
        OR t.debit_entry > d.last_entry
        OR t.credit_entry > c.last_entry
     LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'transfer refused: %', fault
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = fault;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_transfers AFTER INSERT ON transfers
    REFERENCING NEW TABLE AS new_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION check_transfers();

-- Answers already given, so that a request sent twice moves money once.
CREATE TABLE claims (
    id          uuid        NOT NULL,                    -- digest of who asked, what for, and the key
    fingerprint bytea       NOT NULL,                    -- digest of what was asked
    answer      text        NOT NULL,                    -- byte for byte; opaque to the ledger
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT claim_exists PRIMARY KEY (id)
);
