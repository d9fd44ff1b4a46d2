-- Whose a bank account is: asked again before the first payout where the answer is old. A close match
-- is confirmed by its owner before money is paid out to it.

ALTER TABLE bank_accounts
    ADD checked_at timestamptz,                          -- null: when it was linked
    ADD name_at_bank_sealed bytea,                       -- of a close match, where the bank tells it
    ADD confirmed_at timestamptz,                        -- by the owner: that name is theirs
    DROP CONSTRAINT bank_accounts_name_check_check,
    ADD CONSTRAINT bank_accounts_name_check_check
        CHECK (name_check IN ('match', 'close_match', 'no_match', 'not_possible')),
    ADD CONSTRAINT only_close_matches_are_confirmed
        CHECK (name_check = 'close_match' OR num_nonnulls(name_at_bank_sealed, confirmed_at) = 0);

-- The account's bank is to be asked before this one is sent.
ALTER TABLE instructions ADD name_due boolean NOT NULL DEFAULT false;

GRANT UPDATE (confirmed_at) ON bank_accounts TO florin_api;
GRANT UPDATE (name_at_bank_sealed) ON bank_accounts TO florin_api;
GRANT UPDATE (name_check, checked_at, name_at_bank_sealed, confirmed_at)
    ON bank_accounts TO florin_worker;
GRANT UPDATE (name_due) ON instructions TO florin_worker;
