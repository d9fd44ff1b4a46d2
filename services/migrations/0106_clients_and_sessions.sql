-- Who may act for whom, with which credentials, and since when earlier ones are worth nothing.

-- Tokens of these subjects act for the merchant. An issuer of '' is the first that is configured:
-- what was recorded when there was only one.
CREATE TABLE merchant_staff (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    merchant_id uuid NOT NULL REFERENCES merchants,
    issuer      text NOT NULL,
    subject     text NOT NULL,
    rights      text[] NOT NULL DEFAULT '{read,write}'
                CHECK (rights <@ '{read,write}' AND cardinality(rights) > 0),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    removed_at  timestamptz
);
-- One subject acts for one merchant: a token does not say for which.
ALTER TABLE merchants DROP CONSTRAINT merchant_subject_exists;
CREATE UNIQUE INDEX merchant_subject_exists ON merchant_staff (issuer, subject)
    WHERE removed_at IS NULL;
CREATE INDEX ON merchant_staff (merchant_id) WHERE removed_at IS NULL;

INSERT INTO merchant_staff (merchant_id, issuer, subject, created_by, created_at)
SELECT id, '', subject, 'migration', created_at FROM merchants;

-- What servers show instead of a token. Only a hash of the secret is kept: it is 256 random bits,
-- which nobody can try out.
CREATE TABLE api_keys (
    id             uuid PRIMARY KEY,
    merchant_id    uuid REFERENCES merchants,            -- null: of the chat app's servers
    name           text NOT NULL,
    scopes         text[] NOT NULL CHECK (cardinality(scopes) > 0),
    secret_hash    bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    previous_hash  bytea CHECK (octet_length(previous_hash) = 32),
    previous_until timestamptz,                          -- how long the secret before is good
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    last_used_at   timestamptz,                          -- to about a minute
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);
CREATE INDEX ON api_keys (merchant_id) WHERE revoked_at IS NULL;

-- Tokens of a person that were issued earlier are worth nothing, but one.
ALTER TABLE people
    ADD COLUMN tokens_valid_from timestamptz,
    ADD COLUMN kept_token text;                          -- jti

-- The same for whoever is not a person: staff, operators, the chat app's servers.
CREATE TABLE revocations (
    issuer         text NOT NULL,
    subject        text NOT NULL,
    revoked_before timestamptz NOT NULL,
    revoked_by     text NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Proofs of possession that were used, while they could be used again.
CREATE TABLE dpop_proofs (
    proof   bytea PRIMARY KEY CHECK (octet_length(proof) = 32),
    used_at timestamptz NOT NULL
);
CREATE INDEX ON dpop_proofs (used_at);

GRANT SELECT ON merchant_staff, api_keys, revocations TO florin_api, florin_worker;
GRANT INSERT ON merchant_staff, api_keys, revocations, dpop_proofs TO florin_api;
GRANT UPDATE (removed_at) ON merchant_staff TO florin_api;
GRANT UPDATE (secret_hash, previous_hash, previous_until, expires_at, revoked_at, last_used_at)
    ON api_keys TO florin_api;
GRANT UPDATE (tokens_valid_from, kept_token) ON people TO florin_api;
GRANT UPDATE (revoked_before, revoked_by) ON revocations TO florin_api;
-- ON CONFLICT and RETURNING read what is there.
GRANT SELECT ON dpop_proofs TO florin_api;
-- The one table whose rows are deleted: they prove nothing any more, and come with every request.
GRANT SELECT, DELETE ON dpop_proofs TO florin_worker;
