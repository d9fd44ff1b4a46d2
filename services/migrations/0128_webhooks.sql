-- Events that nobody misses, and their delivery to the chat app and to merchants.

ALTER TABLE events
    ADD version        int    NOT NULL DEFAULT 1 CHECK (version > 0),   -- of the object: 1, 2, 3, ...
    -- Ids and times are given out before the commit. What is below the oldest transaction that runs
    -- is all there, so whoever reads by this, up to there, misses nothing.
    ADD transaction_id bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX events_in_order ON events (transaction_id, id);

-- How many events have told of an object, for those of which more than the first was told.
CREATE TABLE object_versions (
    object_id text PRIMARY KEY,
    version   int  NOT NULL
);
GRANT SELECT, INSERT, UPDATE (version) ON object_versions TO florin_api, florin_worker;

CREATE TABLE webhook_endpoints (
    id              uuid PRIMARY KEY,
    merchant_id     uuid REFERENCES merchants,           -- null: of the chat app, which is told all
    url             text NOT NULL,
    types           text[] NOT NULL CHECK (cardinality(types) > 0),     -- payment.completed, payment.*, *
    description     text,
    state           text NOT NULL CHECK (state IN ('enabled', 'disabled')),
    disabled_reason text CHECK (disabled_reason IN ('owner', 'gone', 'failing')),
    secret_sealed   bytea NOT NULL,
    previous_sealed bytea,                               -- signs beside the new one, until then
    previous_until  timestamptz,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    deleted_at      timestamptz,
    -- How it fares, as workers find it.
    is_quick        boolean NOT NULL DEFAULT false,      -- has answered, and without delay
    failing_since   timestamptz,                         -- nothing has arrived since then
    due_at          timestamptz,                         -- when there is something to deliver
    lease           uuid,                                -- of the one worker that delivers to it
    leased_until    timestamptz,
    replay_from     uuid,                                -- the next of the old events to deliver again
    replay_until    uuid,                                -- the last of them
    CHECK ((previous_sealed IS NULL) = (previous_until IS NULL)),
    CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL)),
    CHECK ((replay_from IS NULL) = (replay_until IS NULL))
);
CREATE INDEX ON webhook_endpoints (merchant_id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_due ON webhook_endpoints (is_quick, due_at)
    WHERE state = 'enabled' AND deleted_at IS NULL;

-- What is to reach an endpoint, and whether it has.
CREATE TABLE webhook_deliveries (
    id          uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
    event_id    uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts    int  NOT NULL DEFAULT 0,
    failures    int  NOT NULL DEFAULT 0,                 -- of this round: redelivery begins another
    next_at     timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    CONSTRAINT delivery_exists UNIQUE (endpoint_id, event_id)
);
CREATE INDEX ON webhook_deliveries (endpoint_id, id);
CREATE INDEX deliveries_due ON webhook_deliveries (endpoint_id, next_at) WHERE state = 'waiting';

CREATE TABLE webhook_attempts (
    delivery_id uuid NOT NULL REFERENCES webhook_deliveries ON DELETE CASCADE,
    number      int  NOT NULL,
    at          timestamptz NOT NULL,
    status      int,                                     -- null: there was no answer
    fault       text,                                    -- null: it arrived
    latency_ms  int  NOT NULL,
    excerpt     text,                                    -- how the answer began
    PRIMARY KEY (delivery_id, number)
);

-- Up to where events have become deliveries. Whoever holds the row goes on.
CREATE TABLE webhook_progress (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    transaction_id bigint NOT NULL,
    event_id       uuid   NOT NULL
);
INSERT INTO webhook_progress (transaction_id, event_id)
VALUES (pg_current_xact_id()::text::bigint, 'ffffffff-ffff-ffff-ffff-ffffffffffff');

GRANT SELECT ON webhook_endpoints, webhook_deliveries, webhook_attempts, webhook_progress
    TO florin_api, florin_worker;
GRANT INSERT ON webhook_endpoints, webhook_deliveries TO florin_api;
GRANT UPDATE (url, types, description, state, disabled_reason, secret_sealed, previous_sealed,
    previous_until, changed_at, deleted_at, failing_since, due_at, replay_from, replay_until)
    ON webhook_endpoints TO florin_api;
GRANT UPDATE (state, failures, next_at, changed_at) ON webhook_deliveries TO florin_api;
GRANT UPDATE (state, disabled_reason, changed_at, is_quick, failing_since, due_at, lease,
    leased_until, replay_from, replay_until) ON webhook_endpoints TO florin_worker;
GRANT INSERT, DELETE ON webhook_deliveries TO florin_worker;
GRANT UPDATE (state, attempts, failures, next_at, changed_at) ON webhook_deliveries TO florin_worker;
GRANT INSERT, DELETE ON webhook_attempts TO florin_worker;
GRANT UPDATE (transaction_id, event_id) ON webhook_progress TO florin_worker;
