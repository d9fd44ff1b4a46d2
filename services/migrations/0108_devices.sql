-- The devices that may agree in a person's name, and what may be used once.

CREATE TABLE devices (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES people,
    name       text NOT NULL,                            -- as the person calls it
    jwk        jsonb NOT NULL,                           -- the public key
    thumbprint text NOT NULL,                            -- of the key (RFC 7638)
    alg        text NOT NULL CHECK (alg IN ('ES256', 'EdDSA')),
    bound_by   text NOT NULL CHECK (bound_by IN ('pin', 'pin_jwe', 'device')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,                              -- a key that was revoked never comes back
    CONSTRAINT device_exists UNIQUE (thumbprint)
);
CREATE INDEX ON devices (person_id) WHERE revoked_at IS NULL;

-- Hashes of nonces; a row is of no use once what it came with would be too old anyway.
CREATE TABLE used_nonces (
    hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON used_nonces (expires_at);

GRANT SELECT ON devices, used_nonces TO florin_api, florin_worker;
GRANT INSERT ON devices, used_nonces TO florin_api;
GRANT UPDATE (revoked_at) ON devices TO florin_api;
-- What nobody would believe any more need not be remembered.
GRANT DELETE ON used_nonces TO florin_worker;
