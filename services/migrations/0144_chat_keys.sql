-- Two operators agree on a key of the chat app's servers. Its secret must be in nothing that is
-- kept of that, so it is made when whoever proposed it fetches it, once.

ALTER TABLE api_keys
    ADD COLUMN secret_for   text,                        -- the operator who may fetch a new secret
    ADD COLUMN secret_until timestamptz,
    ADD CHECK ((secret_for IS NULL) = (secret_until IS NULL)),
    ADD CHECK (secret_for IS NULL OR merchant_id IS NULL);

GRANT UPDATE (secret_for, secret_until) ON api_keys TO florin_api;
