-- Events go by the transaction that wrote them. In a cluster into which a dump was restored
-- transactions are counted anew: what is written there would lie before what readers have read.
-- So events carry their transaction's number plus how far this cluster is behind.

CREATE TABLE event_order (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster bigint NOT NULL,                -- system_identifier, where the numbers are counted
    ahead   bigint NOT NULL                 -- what is added to them here; the column's default does
);
INSERT INTO event_order (cluster, ahead) SELECT system_identifier, 0 FROM pg_control_system();
GRANT SELECT ON event_order TO florin_api, florin_worker;

-- Below this every event is there that ever will be. Nobody reads on in a restored database before
-- its owner has called the next function: they would skip what happens, and never know.
CREATE FUNCTION event_horizon() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    known event_order;
BEGIN
    SELECT * INTO STRICT known FROM event_order;
    IF known.cluster <> (SELECT system_identifier FROM pg_control_system()) THEN
        RAISE EXCEPTION 'the database was restored into another cluster: run the migrations'
            USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'events_restored';
    END IF;
    RETURN pg_snapshot_xmin(pg_current_snapshot())::text::bigint + known.ahead;
END $$;

-- Lets what is written from now on come after all that was. For the owner, while nobody else writes
-- events; it does nothing where nothing was restored. Answers whether it did something.
CREATE FUNCTION continue_event_order() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    known  event_order;
    here   bigint;
    newest bigint;
    oldest bigint;                          -- of the transactions that run
    later  bigint;                          -- no transaction has it yet
BEGIN
    SELECT system_identifier INTO here FROM pg_control_system();
    SELECT * INTO STRICT known FROM event_order FOR UPDATE;
    SELECT greatest((SELECT max(transaction_id) FROM events),
                    (SELECT max(transaction_id) FROM webhook_progress)),
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      INTO newest, oldest, later;
    IF known.cluster = here AND later + known.ahead > coalesce(newest, 0) THEN
        RETURN false;
    END IF;
    known.ahead := greatest(known.ahead, newest + 1 - oldest);
    UPDATE event_order SET cluster = here, ahead = known.ahead;
    EXECUTE format('ALTER TABLE events ALTER transaction_id
                    SET DEFAULT pg_current_xact_id()::text::bigint + %s', known.ahead);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION continue_event_order() FROM PUBLIC;
