-- As of transfers and claims in the books: each payment adds a row to these, they are found by key, and
-- while ANALYZE reads them no old version of a busy account may be removed.
DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT attrelid::regclass AS belongs_to, attname AS name FROM pg_attribute
               WHERE attrelid IN ('payments'::regclass, 'events'::regclass)
                 AND attnum > 0 AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 10', it.belongs_to, it.name);
    END LOOP;
END $$;
