-- Who tried what, who did what that is sensitive, and when: for whoever asks later. Times are UTC as
-- everywhere; rows are added and never changed. Payments that were approved are not here: how each
-- was approved is kept with the payment.
CREATE TABLE security_log (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    kind       text NOT NULL,                            -- auth_failed, pin_changed, proposal_made, ...
    actor      text,                                     -- per_..., mer_..., 'operator <subject>'
    subject    text,                                     -- whom or what it was done to, as the API names it
    request_id uuid,                                     -- the X-Request-Id it was answered with
    address    bytea,                                    -- HMAC of where it came from; the key is not here
    times      int  NOT NULL DEFAULT 1 CHECK (times > 0),  -- more than once: of a flood, counted in one row
    detail     json NOT NULL DEFAULT '{}'                -- never a secret
);
CREATE INDEX ON security_log (kind, id);
CREATE INDEX ON security_log (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX ON security_log (subject, id) WHERE subject IS NOT NULL;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON security_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON security_log TO florin_api, florin_worker;
