-- What somebody has used up of what they may do in a day, a week and a month. Which period it is,
-- and how much is allowed, says who uses it; the count is kept here, in the transaction of the money.

CREATE TABLE quotas (
    id           uuid PRIMARY KEY,                       -- whose, for what: opaque to the ledger
    day          bigint NOT NULL DEFAULT 0,              -- the number of the newest day it was used
    day_amount   bigint NOT NULL DEFAULT 0 CHECK (day_amount >= 0),
    day_count    bigint NOT NULL DEFAULT 0 CHECK (day_count >= 0),
    week         bigint NOT NULL DEFAULT 0,
    week_amount  bigint NOT NULL DEFAULT 0 CHECK (week_amount >= 0),
    week_count   bigint NOT NULL DEFAULT 0 CHECK (week_count >= 0),
    month        bigint NOT NULL DEFAULT 0,
    month_amount bigint NOT NULL DEFAULT 0 CHECK (month_amount >= 0),
    month_count  bigint NOT NULL DEFAULT 0 CHECK (month_count >= 0)
) WITH (fillfactor = 80);

GRANT SELECT, INSERT, UPDATE ON quotas TO florin_ledger;
