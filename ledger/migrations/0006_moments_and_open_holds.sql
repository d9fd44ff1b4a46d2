-- What the balance was at any moment, of any of the three times, is found by index; so is what an
-- account has on hold now.

-- Late: counts from another moment than the one at which it was recorded. How far that may lie
-- ahead is bounded, so that a reader knows where to stop.
DROP INDEX late_debits, late_credits;
CREATE INDEX late_debits ON transfers (debit_account_id, recorded_at)
    WHERE effective_at IS NOT NULL OR booked_at IS NOT NULL;
CREATE INDEX late_credits ON transfers (credit_account_id, recorded_at)
    WHERE effective_at IS NOT NULL OR booked_at IS NOT NULL;
ALTER TABLE transfers
    ADD CONSTRAINT booked_in_future CHECK (booked_at <= recorded_at + interval '1 minute');

CREATE INDEX pending_debits ON transfers (debit_account_id, debit_entry) WHERE kind = 'pending';
CREATE INDEX pending_credits ON transfers (credit_account_id, credit_entry) WHERE kind = 'pending';

-- As before, and whether the entry is late.
CREATE OR REPLACE VIEW entries AS
    SELECT debit_account_id AS account_id, debit_entry AS entry, 'debit'::account_side AS side,
           id AS transfer_id, kind, code, reference, pending_id, reverses_id, amount, currency,
           debit_balance AS balance, credit_account_id AS other_account_id,
           coalesce(effective_at, recorded_at) AS effective_at,
           coalesce(booked_at, effective_at, recorded_at) AS booked_at, recorded_at,
           effective_at IS NOT NULL OR booked_at IS NOT NULL AS is_late
      FROM transfers
    UNION ALL
    SELECT credit_account_id, credit_entry, 'credit'::account_side,
           id, kind, code, reference, pending_id, reverses_id, amount, currency,
           credit_balance, debit_account_id,
           coalesce(effective_at, recorded_at), coalesce(booked_at, effective_at, recorded_at),
           recorded_at, effective_at IS NOT NULL OR booked_at IS NOT NULL
      FROM transfers;

-- What is left of the account's holds, newest first, at most so many. The totals say when all are
-- found, so that what was resolved long ago is not looked at; where one stays open under very many
-- that were resolved since, only the newest legs are looked at.
CREATE FUNCTION open_holds(account uuid, holds_max int)
RETURNS TABLE (transfer_id uuid, side account_side, amount bigint, remaining bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    reserved numeric := (SELECT debits_pending::numeric + credits_pending
                           FROM accounts WHERE id = account);
    found    int := 0;
    seen     int := 0;
    seen_max CONSTANT int := 10000;
    leg      record;
BEGIN
    IF reserved = 0 THEN
        RETURN;
    END IF;
    FOR leg IN
        SELECT t.id, 'debit'::account_side AS side, t.debit_entry AS entry, t.amount
          FROM transfers t WHERE t.debit_account_id = account AND t.kind = 'pending'
        UNION ALL
        SELECT t.id, 'credit', t.credit_entry, t.amount
          FROM transfers t WHERE t.credit_account_id = account AND t.kind = 'pending'
         ORDER BY entry DESC
    LOOP
        seen := seen + 1;
        EXIT WHEN seen > seen_max;
        remaining := leg.amount - (SELECT coalesce(sum(r.amount), 0)
                                     FROM transfers r WHERE r.pending_id = leg.id);
        CONTINUE WHEN remaining = 0;
        transfer_id := leg.id;
        side := leg.side;
        amount := leg.amount;
        RETURN NEXT;
        found := found + 1;
        reserved := reserved - remaining;
        EXIT WHEN reserved = 0 OR found = holds_max;
    END LOOP;
END $$;
