-- Like failed, but no lock starts it anew: what may be guessed of a code while nobody shows a right one.
ALTER TABLE totp ADD failures int NOT NULL DEFAULT 0 CHECK (failures >= 0);

UPDATE totp SET failures = failed;

GRANT UPDATE (failures) ON totp TO florin_api;
