-- What must not be read by whoever holds the database alone is sealed by the processes, with keys
-- that are not in here (services/vault). SQL has no key: what is in clear so far is carried over by
-- services/vault/carry_over.ts, which runs after the migrations and drops the columns in clear.

ALTER TABLE bank_accounts
    ALTER number DROP NOT NULL,
    ALTER holder DROP NOT NULL,
    ADD number_sealed bytea,
    ADD holder_sealed bytea,
    ADD number_index  bytea,                             -- HMAC of the number: found by, not readable
    ADD CHECK ((number_sealed IS NULL) = (holder_sealed IS NULL)
           AND (number_sealed IS NULL) = (number_index IS NULL));
DROP INDEX bank_account_exists;
CREATE UNIQUE INDEX bank_account_exists ON bank_accounts (owner, bank, number_index)
    WHERE deleted_at IS NULL;

-- A key for each person, sealed by the vault. What it has sealed nobody can read once it is gone.
CREATE TABLE person_keys (
    person_id    uuid PRIMARY KEY REFERENCES people,
    sealed       bytea,
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((sealed IS NULL) = (destroyed_at IS NOT NULL))
);

ALTER TABLE people
    ALTER name DROP NOT NULL,
    ADD name_sealed bytea,                               -- under the person's key
    ADD erased_at   timestamptz,
    ADD CHECK (erased_at IS NULL OR name_sealed IS NULL);

ALTER TABLE payments ADD note_sealed bytea;              -- under the payer's key

GRANT SELECT ON person_keys TO florin_api, florin_worker;
GRANT INSERT ON person_keys TO florin_api;
-- For erasure. Rows stay, as tombstones: nobody may delete any.
GRANT UPDATE (sealed, destroyed_at) ON person_keys TO florin_api;
GRANT UPDATE (issuer, subject, name_sealed, erased_at) ON people TO florin_api;
GRANT UPDATE (alias) ON aliases TO florin_api;
GRANT UPDATE (number_sealed, holder_sealed, number_index) ON bank_accounts TO florin_api;
