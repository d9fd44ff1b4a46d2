-- What moved the posted balance of an account, by entry number: beyond one, up to another. Positive
-- where the account was debited. Inlined into the query that asks, so that it may join millions.
CREATE FUNCTION movements(account uuid, beyond bigint, last bigint)
RETURNS TABLE (entry bigint, transfer_id uuid, reference uuid, amount bigint, currency text,
               effective_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT t.debit_entry, t.id, t.reference, t.amount, t.currency,
           coalesce(t.effective_at, t.recorded_at)
      FROM transfers t
     WHERE t.debit_account_id = account AND t.debit_entry > beyond AND t.debit_entry <= last
       AND t.kind::text IN ('single', 'post', 'reversal')
    UNION ALL
    SELECT t.credit_entry, t.id, t.reference, -t.amount, t.currency,
           coalesce(t.effective_at, t.recorded_at)
      FROM transfers t
     WHERE t.credit_account_id = account AND t.credit_entry > beyond AND t.credit_entry <= last
       AND t.kind::text IN ('single', 'post', 'reversal')
$$;
