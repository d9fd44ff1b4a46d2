-- A second factor out of an authenticator app, and when it is asked for.

-- Seeds are sealed: without the keys outside the database they are worth nothing.
CREATE TABLE totp (
    person_id    uuid PRIMARY KEY REFERENCES people,
    seed_sealed  bytea NOT NULL,                         -- base32
    last_step    bigint NOT NULL,                        -- of the newest code that was used
    failed       int NOT NULL DEFAULT 0 CHECK (failed >= 0),
    locked_until timestamptz,
    confirmed_at timestamptz NOT NULL
);

-- Shown to a person who has not yet proved that their app has it.
CREATE TABLE totp_enrolments (
    person_id  uuid PRIMARY KEY REFERENCES people,
    seed_sealed bytea NOT NULL,                          -- base32
    replaces   timestamptz,                              -- when the one in use was confirmed
    failed     int NOT NULL DEFAULT 0 CHECK (failed >= 0),
    expires_at timestamptz NOT NULL
);

CREATE TABLE recovery_codes (
    person_id  uuid NOT NULL REFERENCES people,
    hash       bytea NOT NULL,                           -- keyed; of 80 random bits
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (person_id, hash)
);

-- When a payment needs the second factor. A rule is never changed: it begins, and one day it ends.
CREATE TABLE step_up_rules (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN
                  ('amount', 'new_payee', 'new_device', 'security_changed')),
    currency    text,                                    -- null: all
    amount_from bigint NOT NULL CHECK (amount_from >= 0),  -- minor units; less is not asked for
    window_s    int CHECK (window_s > 0),                -- for how long something is new
    rails       text[],                                  -- null: all
    tier        text,                                    -- null: everybody
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    CHECK ((kind = 'amount') = (window_s IS NULL)),
    CHECK (currency IS NOT NULL OR amount_from = 0),
    CHECK (valid_to >= valid_from)                       -- equal: ended before it began
);

GRANT SELECT ON totp, totp_enrolments, recovery_codes, step_up_rules
    TO florin_api, florin_worker;
GRANT INSERT ON totp, totp_enrolments, recovery_codes, step_up_rules TO florin_api;
-- What is removed or replaced is destroyed: it must not be there to be stolen.
GRANT DELETE ON totp, totp_enrolments, recovery_codes TO florin_api;
GRANT UPDATE (seed_sealed, last_step, failed, locked_until, confirmed_at) ON totp TO florin_api;
GRANT UPDATE (seed_sealed, replaces, failed, expires_at) ON totp_enrolments TO florin_api;
GRANT UPDATE (used_at) ON recovery_codes TO florin_api;
GRANT UPDATE (valid_to) ON step_up_rules TO florin_api;
