-- What operators have closed. It is never changed: it begins, and one day it ends.
CREATE TABLE bank_outages (
    id         uuid PRIMARY KEY,
    bank       text NOT NULL,
    rail       text,                                     -- null: all of them
    reason     text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,                              -- null: until somebody ends it
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (valid_to >= valid_from)
);
CREATE INDEX ON bank_outages (valid_to);

-- Banks that workers have found to fail, and until when that is believed.
CREATE TABLE bank_health (
    bank          text PRIMARY KEY,
    failing_since timestamptz NOT NULL,
    failing_until timestamptz NOT NULL
);

-- Of the account, where its number tells: which rails reach it.
ALTER TABLE bank_accounts ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');

GRANT SELECT ON bank_outages, bank_health TO florin_api, florin_worker;
GRANT INSERT ON bank_outages TO florin_api;
GRANT UPDATE (valid_to) ON bank_outages TO florin_api;
GRANT INSERT, UPDATE ON bank_health TO florin_worker;
