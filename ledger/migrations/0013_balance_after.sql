-- The posted balance of an account after one of its entries, by its number; null where there is none.
CREATE FUNCTION balance_after(account uuid, entry bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN $2 = 0 THEN 0 ELSE
           (SELECT e.balance FROM entries e WHERE e.account_id = $1 AND e.entry = $2) END
$$;
