-- What one operator asked for and another has to agree to. A proposal never changes; only what was
-- decided about it, and what came of it, is added. One that ran out stays pending: the clock says so.
CREATE TABLE proposals (
    id              uuid PRIMARY KEY,
    action          text NOT NULL,                       -- method and path, as the API declares them
    summary         text NOT NULL,
    params          json NOT NULL,                       -- this and what follows as it was sent
    query           json NOT NULL,
    body            json,
    proposed_issuer text NOT NULL,
    proposed_by     text NOT NULL,                       -- the subject of the token
    proposed_at     timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'approved', 'refused', 'failed')),
    decided_issuer  text,
    decided_by      text,
    decided_at      timestamptz,
    reason          text,                                -- of a refusal
    running_until   timestamptz,                         -- while it is carried out nobody else does
    result          json,                                -- status and body of the action's own answer
    CONSTRAINT decided_by_somebody CHECK (
        (state = 'pending') = (decided_at IS NULL)
        AND num_nonnulls(decided_issuer, decided_by, decided_at) IN (0, 3)
    ),
    -- Whoever proposed it may take it back, and no more.
    CONSTRAINT second_person_required CHECK (
        state IN ('pending', 'refused')
        OR (decided_issuer, decided_by) IS DISTINCT FROM (proposed_issuer, proposed_by)
    )
);
CREATE INDEX ON proposals (state, id);
CREATE INDEX ON proposals (expires_at) WHERE state = 'pending';

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON proposals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT ON proposals TO florin_api, florin_worker;
GRANT INSERT ON proposals TO florin_api;
GRANT UPDATE (state, decided_issuer, decided_by, decided_at, reason, running_until, result)
    ON proposals TO florin_api;

-- Who agreed to it; null for those from before a second person was asked.
ALTER TABLE reversals ADD approved_by text;
