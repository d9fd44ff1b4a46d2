-- A merchant whose account two operators looked at is paid out there, whoever links others.
CREATE OR REPLACE FUNCTION check_settled_merchant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refusal text;
BEGIN
    SELECT CASE WHEN state <> 'active' THEN 'merchant_not_active'
                ELSE 'bank_account_not_reviewed' END
      INTO refusal
      FROM merchants
     WHERE id = NEW.merchant_id
       AND (state <> 'active' OR settlement_account_id <> NEW.bank_account_id);
    IF FOUND AND NEW.payout > 0 THEN
        RAISE EXCEPTION 'settlement % cannot be paid out', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = refusal;
    END IF;
    RETURN NULL;
END $$;

-- Who is suspended gets no share of what others sell either. What was promised before is kept.
CREATE FUNCTION check_beneficiaries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_splits s JOIN merchants m ON m.id = s.merchant_id WHERE m.state <> 'active'
    ) THEN
        RAISE EXCEPTION 'a beneficiary cannot be paid'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'merchant_not_active';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_beneficiaries AFTER INSERT ON payment_splits
    REFERENCING NEW TABLE AS new_splits
    FOR EACH STATEMENT EXECUTE FUNCTION check_beneficiaries();

-- Before its first schedule holds, a turn has no cut-off behind it: an earlier one begins earlier.
CREATE OR REPLACE FUNCTION wake_settlement_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settlement_turns (merchant_id, currency, settled_to, next_at)
    VALUES (NEW.merchant_id, NEW.currency, NEW.valid_from, NEW.valid_from)
    ON CONFLICT (merchant_id, currency) DO UPDATE
       SET settled_to = CASE WHEN settlement_turns.settled_to > NEW.created_at
                             THEN least(settlement_turns.settled_to, NEW.valid_from)
                             ELSE settlement_turns.settled_to END,
           next_at = least(settlement_turns.next_at, EXCLUDED.next_at);
    RETURN NULL;
END $$;
GRANT UPDATE (settled_to) ON settlement_turns TO florin_api;

-- What was unlinked before an instruction came is told to no bank; what goes back to whoever sent
-- it goes where it came from.
CREATE FUNCTION check_instructed_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_instructions i JOIN bank_accounts b ON b.id = i.bank_account_id
         WHERE b.deleted_at IS NOT NULL AND i.purpose <> 'send_back'
    ) THEN
        RAISE EXCEPTION 'a bank account of the instructions is not linked any more'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bank_account_not_found';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_instructed_accounts AFTER INSERT ON instructions
    REFERENCING NEW TABLE AS new_instructions
    FOR EACH STATEMENT EXECUTE FUNCTION check_instructed_accounts();
