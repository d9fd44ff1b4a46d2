/** What ours is compared with: one function call, and one transaction, for each transfer. */
import pg from 'pg'
import { newId, newUnitId } from '../../ledger/index.ts'
import type { Contender } from './contenders.ts'
import { type Database, run } from './server.ts'

const CONNECTIONS = 16

/**
 * What a careful engineer would write, and the fastest of the forms we tried: an UPDATE of these
 * columns locks its row FOR NO KEY UPDATE, so updating in id order is locking in id order, without
 * a statement for it. Currency, floor and restrictions are checked on the rows as they come back.
 * It writes the same rows into the same tables and indexes as the group commit does.
 */
const FUNCTION = `
  CREATE FUNCTION transfer_one(unit uuid, payer uuid, payee uuid, cents bigint, money text,
                               why text, what uuid) RETURNS void
  LANGUAGE plpgsql AS $$
  DECLARE
    d accounts;
    c accounts;
  BEGIN
    IF payer < payee THEN
      UPDATE accounts SET debits_posted = debits_posted + cents, last_entry = last_entry + 1
       WHERE id = payer RETURNING * INTO STRICT d;
      UPDATE accounts SET credits_posted = credits_posted + cents, last_entry = last_entry + 1
       WHERE id = payee RETURNING * INTO STRICT c;
    ELSE
      UPDATE accounts SET credits_posted = credits_posted + cents, last_entry = last_entry + 1
       WHERE id = payee RETURNING * INTO STRICT c;
      UPDATE accounts SET debits_posted = debits_posted + cents, last_entry = last_entry + 1
       WHERE id = payer RETURNING * INTO STRICT d;
    END IF;
    IF d.currency <> money OR c.currency <> money THEN
      RAISE EXCEPTION 'currency_mismatch';
    END IF;
    IF d.floor > d.credits_posted - d.debits_posted - d.debits_pending THEN
      RAISE EXCEPTION 'insufficient_funds';
    END IF;
    IF d.debits_frozen OR c.credits_frozen OR d.closed_at IS NOT NULL OR c.closed_at IS NOT NULL
       OR d.closed_through IS NOT NULL OR c.closed_through IS NOT NULL THEN
      RAISE EXCEPTION 'account_restricted';
    END IF;
    INSERT INTO transfers (id, kind, debit_account_id, credit_account_id, amount, currency, code,
           reference, recorded_at, debit_entry, credit_entry, debit_balance, credit_balance)
    VALUES (unit, 'single', payer, payee, cents, money, why, what, clock_timestamp(),
            d.last_entry, c.last_entry, d.credits_posted - d.debits_posted,
            c.credits_posted - c.debits_posted);
  END $$`

const CALL = 'SELECT transfer_one($1, $2, $3, $4, $5, $6, $7)'

/** Each call is a transaction of its own, on one of 16 connections that have the call prepared. */
export async function openBaseline({ url }: Database): Promise<Contender> {
  // The function checks what the trigger would check again, row by row: that would handicap it.
  await run(url, `DROP TRIGGER check_transfers ON transfers; ${FUNCTION}`)
  const clients = Array.from(
    { length: CONNECTIONS },
    () => new pg.Client({ connectionString: url, application_name: 'florin bench baseline' }),
  )
  await Promise.all(clients.map((client) => client.connect()))
  return {
    callers: CONNECTIONS,
    transfersPerCall: 1,
    async transfer(caller, debit, credit) {
      const values = [newUnitId(), debit, credit, 1, 'EUR', 'payment', newId()]
      await clients[caller]?.query({ name: 'transfer_one', text: CALL, values })
    },
    async close() {
      await Promise.all(clients.map((client) => client.end()))
    },
  }
}
