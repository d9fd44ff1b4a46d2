-- A transaction may have its number long before it waits for an object's turn: then what it tells
-- would lie before what others told meanwhile. So an object knows where its last event lies and when
-- that was, and the next one lies no earlier. What a transaction tells lies never before its own
-- number, and up to there nobody reads while it runs: so nothing appears behind a reader.

ALTER TABLE object_versions
    ADD transaction_id bigint,                           -- where its last event lies
    ADD told_at        timestamptz;                      -- and when that was
GRANT UPDATE (transaction_id, told_at) ON object_versions TO florin_api, florin_worker;
