-- The two processes, each with what its work needs. Neither owns a table, neither may delete a row,
-- and only columns that describe progress may change.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['florin_api', 'florin_worker'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        EXECUTE format('GRANT florin_ledger TO %I', name);
        EXECUTE format('GRANT %I TO CURRENT_USER', name);
    END LOOP;
END $$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO florin_api, florin_worker;

GRANT INSERT ON people, merchants, aliases, pins, bank_accounts, fee_schedules, orders, payments,
    fee_lines, settlements, settlement_lines, instructions, callbacks, events TO florin_api;
GRANT UPDATE (hash, failed, locked_until, changed_at) ON pins TO florin_api;
GRANT UPDATE (deleted_at) ON bank_accounts TO florin_api;

GRANT INSERT ON events TO florin_worker;
GRANT UPDATE (state, failure, changed_at) ON payments, settlements TO florin_worker;
GRANT UPDATE (released) ON settlement_lines TO florin_worker;
GRANT UPDATE (state, reason, submissions, enquiries, sent_at, next_at, lease, leased_until,
    changed_at) ON instructions TO florin_worker;
GRANT UPDATE (disposition) ON callbacks TO florin_worker;
