-- PINs: under which pepper, wrong how often in all, and wrong from where.

ALTER TABLE pins
    ALTER COLUMN hash DROP NOT NULL,                     -- null: cleared, until a new one is set
    ADD COLUMN pepper_kid text,                          -- null: hashed before peppers had ids
    ADD COLUMN failures int NOT NULL DEFAULT 0;          -- like failed, but no lock starts it anew

UPDATE pins SET failures = failed;

GRANT UPDATE (pepper_kid, failures) ON pins TO florin_api;

-- Wrong PINs and codes by minute and by the address they came from, which is kept as an HMAC: only
-- good for telling whether it is the same. The empty address is everybody.
CREATE TABLE pin_failures (
    minute   timestamptz NOT NULL,
    address  bytea NOT NULL,
    failures int NOT NULL CHECK (failures > 0),
    PRIMARY KEY (address, minute)
);
CREATE INDEX ON pin_failures (minute);

GRANT SELECT ON pin_failures TO florin_api, florin_worker;
GRANT INSERT, UPDATE (failures) ON pin_failures TO florin_api;
-- What is over for a day is forgotten: who asked from where is nobody's business then.
GRANT DELETE ON pin_failures TO florin_worker;
