-- How a person stands, and what an approval leaves behind as evidence.

ALTER TABLE people
    ADD COLUMN tier text NOT NULL DEFAULT 'basic'        -- how well the person is known (KYC)
        CHECK (tier ~ '^[a-z][a-z0-9_]{0,31}$'),
    ADD COLUMN no_pin_limit bigint CHECK (no_pin_limit >= 0),  -- the person's own; minor units
    ADD COLUMN security_changed_at timestamptz;          -- a factor was changed, added or removed

ALTER TABLE payments
    DROP CONSTRAINT payments_approval_check,
    ADD CHECK (approval IN ('pin', 'pin_jwe', 'device', 'none')),
    ADD COLUMN approval_key text,                        -- which key showed it
    ADD COLUMN approved_at timestamptz,                  -- by who approved
    ADD COLUMN approval_proof text,                      -- what the person's device signed
    ADD COLUMN step_up text CHECK (step_up IN ('totp', 'recovery_code')),
    ADD COLUMN idempotency_key text;                     -- part of what was approved

ALTER TABLE exchanges
    DROP CONSTRAINT exchanges_approval_check,
    ADD CHECK (approval IN ('pin', 'pin_jwe', 'device', 'none')),
    ADD COLUMN approval_key text,
    ADD COLUMN approved_at timestamptz,
    ADD COLUMN approval_proof text,
    ADD COLUMN step_up text CHECK (step_up IN ('totp', 'recovery_code')),
    ADD COLUMN idempotency_key text;

GRANT UPDATE (tier, no_pin_limit, security_changed_at) ON people TO florin_api;
