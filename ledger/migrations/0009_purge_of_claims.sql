-- Answers are kept for thirty days at least, and then may go. The processes' roles cannot delete a
-- row of anything: this does it for them, and for claims that are old enough only.
--
-- Each turn looks at so many pages and no more, and the next turn at the next ones, round and round:
-- an index on the time would cost every payment something, to save this a little.
CREATE FUNCTION purge_claims(kept interval, turn bigint, pages_max int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    pages  bigint := pg_relation_size('claims') / current_setting('block_size')::int;
    parts  bigint := greatest(1, ceil(pages / pages_max::numeric));
    first  bigint := turn % parts * pages_max;
    purged bigint;
BEGIN
    IF kept < interval '30 days' THEN
        RAISE EXCEPTION 'answers are kept for 30 days at least'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM claims
     WHERE ctid >= format('(%s,0)', first)::tid AND ctid < format('(%s,0)', first + pages_max)::tid
       AND claimed_at < now() - kept;
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END $$;

REVOKE ALL ON FUNCTION purge_claims FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_claims TO florin_ledger;
