-- How low an account may fall can be changed. What was right under an earlier floor stays right, so
-- the lowest floor that there ever was is remembered; null: it never was another one.
ALTER TABLE accounts ADD floor_lowest bigint;

-- Only for what we owe merchants, and only to let it fall lower or less low: no login that a process
-- has may take a floor away.
CREATE FUNCTION set_floor(account uuid, new_floor bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE accounts
       SET floor = new_floor, floor_lowest = least(floor_lowest, floor, new_floor)
     WHERE id = account AND type = 'merchant' AND new_floor <= 0;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the floor of account % may not be %', account, new_floor
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
REVOKE ALL ON FUNCTION set_floor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_floor TO florin_ledger;
