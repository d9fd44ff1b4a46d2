-- Money of one currency for money of another. Rates are evidence, quotes are promises, exchanges
-- are what came of them; none of the three is ever changed.

CREATE TABLE fx_rates (
    id          uuid PRIMARY KEY,
    base        text NOT NULL,
    quote       text NOT NULL,
    rate        numeric NOT NULL CHECK (rate > 0),       -- whole units of quote for one of base
    spread_bps  int NOT NULL CHECK (spread_bps BETWEEN 0 AND 5000),
    source      text NOT NULL,                           -- who says so
    observed_at timestamptz NOT NULL,
    valid_for_s int NOT NULL CHECK (valid_for_s > 0),    -- from when it was observed
    posted_by   text NOT NULL,                           -- the operator
    created_at  timestamptz NOT NULL,
    CONSTRAINT fx_rate_exists UNIQUE (base, quote, observed_at),
    CHECK (base <> quote)
);

-- What a person was promised, until when. All amounts but the sold one are of the bought currency.
CREATE TABLE fx_quotes (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL REFERENCES people,
    side          text NOT NULL CHECK (side IN ('sell', 'buy')),
    rate_id       uuid NOT NULL REFERENCES fx_rates,
    sell_amount   bigint NOT NULL CHECK (sell_amount > 0),
    sell_currency text NOT NULL,
    buy_amount    bigint NOT NULL CHECK (buy_amount > 0),
    buy_currency  text NOT NULL,
    mid_value     bigint NOT NULL,                       -- of what is sold, at the rate as observed
    spread        bigint NOT NULL CHECK (spread >= 0),
    residue       bigint NOT NULL CHECK (residue >= 0),  -- what rounding left
    mid_rate      numeric NOT NULL,
    rate          numeric NOT NULL,                      -- the person's: mid less the spread
    spread_bps    int NOT NULL,
    source        text NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL CHECK (expires_at > created_at),
    CONSTRAINT mid_is_bought_spread_and_residue CHECK (mid_value = buy_amount + spread + residue)
);

-- The evidence is written again: an exchange explains itself when its quote is long gone.
CREATE TABLE exchanges (
    id              uuid PRIMARY KEY,
    quote_id        uuid NOT NULL,
    person_id       uuid NOT NULL REFERENCES people,
    transfer_id     uuid NOT NULL,                       -- the first of its transfers
    rate_id         uuid NOT NULL REFERENCES fx_rates,
    sell_amount     bigint NOT NULL CHECK (sell_amount > 0),
    sell_currency   text NOT NULL,
    buy_amount      bigint NOT NULL CHECK (buy_amount > 0),
    buy_currency    text NOT NULL,
    mid_value       bigint NOT NULL,
    spread          bigint NOT NULL CHECK (spread >= 0),
    residue         bigint NOT NULL CHECK (residue >= 0),
    mid_rate        numeric NOT NULL,
    rate            numeric NOT NULL,
    spread_bps      int NOT NULL,
    source          text NOT NULL,
    approval        text NOT NULL CHECK (approval IN ('pin', 'none')),
    approval_digest bytea NOT NULL,                      -- of exactly what was approved
    created_at      timestamptz NOT NULL,
    CONSTRAINT quote_already_used UNIQUE (quote_id),
    CONSTRAINT exchanged_is_bought_spread_and_residue CHECK (
        mid_value = buy_amount + spread + residue
    )
);
CREATE INDEX ON exchanges (person_id, id);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fx_rates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fx_quotes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exchanges
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON fx_rates, fx_quotes, exchanges TO florin_api, florin_worker;
GRANT INSERT ON fx_rates, fx_quotes, exchanges TO florin_api;
