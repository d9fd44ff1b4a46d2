-- What people may spend. A rule is never changed: it begins, and one day it ends.

CREATE TABLE limit_rules (
    id           uuid PRIMARY KEY,
    scope        text NOT NULL CHECK (scope IN ('payer', 'payee')),  -- payee: to each payee
    period       text NOT NULL CHECK (period IN ('payment', 'day', 'week', 'month')),
    currency     text,                                   -- null: all of them together, counted
    amount_max   bigint CHECK (amount_max >= 0),         -- minor units
    count_max    bigint CHECK (count_max >= 0),
    tier         text,                                   -- null: everybody
    rails        text[],                                 -- null: whatever leaves the payer
    after_change boolean NOT NULL,                       -- only soon after a factor was changed
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    CHECK (num_nonnulls(amount_max, count_max) > 0),
    CHECK (currency IS NOT NULL OR amount_max IS NULL),
    CHECK (valid_to > valid_from)
);

-- The quotas that a payment used up, so that what came to nothing is given back.
ALTER TABLE payments ADD COLUMN quotas uuid[];

GRANT SELECT, INSERT ON limit_rules TO florin_api;
GRANT UPDATE (valid_to) ON limit_rules TO florin_api;
GRANT SELECT ON limit_rules TO florin_worker;
