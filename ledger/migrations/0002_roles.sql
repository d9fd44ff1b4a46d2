-- Who may post: read everything, add transfers and answers, move the totals of accounts. Nobody in
-- this role can change or remove what was recorded; the processes connect as members of it.
DO $$
BEGIN
    CREATE ROLE florin_ledger NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;

GRANT USAGE ON SCHEMA public TO florin_ledger;
GRANT SELECT, INSERT ON accounts, transfers, claims TO florin_ledger;
GRANT UPDATE (debits_posted, credits_posted, debits_pending, credits_pending, last_entry)
    ON accounts TO florin_ledger;
GRANT SELECT ON entries TO florin_ledger;
