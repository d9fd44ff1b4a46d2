-- How low an account may fall follows from its type. The check says what may be; that a merchant is
-- let fall below zero by `set_floor` alone, and that what is new has nothing in it, is for whoever
-- inserts: a login that a process has can do no more than open an account.
ALTER TABLE accounts ADD CONSTRAINT floor_follows_the_chart CHECK (
    CASE WHEN type IN ('wallet', 'reserve', 'transit') THEN floor IS NOT NULL AND floor = 0
         WHEN type = 'merchant' THEN floor IS NOT NULL AND floor <= 0
         ELSE floor IS NULL
    END
);

CREATE FUNCTION check_new_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.floor <> 0 THEN
        RAISE EXCEPTION 'account % is opened with a floor of %', NEW.id, NEW.floor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'floor_follows_the_chart';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_new_account BEFORE INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION check_new_account();

REVOKE INSERT ON accounts FROM florin_ledger;
GRANT INSERT (id, owner, type, currency, normal_side, floor, metadata) ON accounts TO florin_ledger;
