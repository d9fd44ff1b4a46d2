/**
 * The two ways to move money that are compared: the group commit, and one function call for each.
 */
import pg from 'pg'
import { type AccountId, newId, newUnitId, openGroup, type Unit } from '../../ledger/index.ts'
import { type Database, run } from './server.ts'

export interface Contender {
  /** How many ask at once. */
  readonly callers: number
  /** Moves one cent; throws unless it moved. */
  readonly transfer: (caller: number, debit: AccountId, credit: AccountId) => Promise<void>
  readonly close: () => Promise<void>
}

const CALLERS = 1024
const CONNECTIONS = 16

const MONEY = { amount: 1n, currency: 'EUR' }
const ACCEPTED = { answer: 'accepted' }
const REFUSED = { answer: 'refused' }

export function openOurs({ urlOf }: Database): Contender {
  const group = openGroup({
    ...{ url: urlOf('florin_api'), role: 'florin_ledger', applicationName: 'florin bench' },
    ...{ companions: {}, refusals: [] },
  })
  return {
    callers: CALLERS,
    async transfer(_caller, debit, credit) {
      const { answer } = await group.submit(unitOf(debit, credit))
      if (answer !== ACCEPTED.answer) throw new Error('the books refused a transfer')
    },
    close: group.close,
  }
}

const unitOf = (debit: AccountId, credit: AccountId): Unit => ({
  id: newUnitId(),
  at: new Date(),
  transfers: [
    {
      kind: 'single',
      debit,
      credit,
      money: MONEY,
      code: 'payment',
      reference: newId(),
    },
  ],
  conclude: ({ accepted }) => (accepted ? ACCEPTED : REFUSED),
})

/**
 * What a careful engineer would write, and the fastest of the forms we tried: an UPDATE of these
 * columns locks its row FOR NO KEY UPDATE, so updating in id order is locking in id order, without
 * a statement for it. Currency and floor are checked on the rows as they come back. It writes the
 * same rows into the same tables and indexes as the group commit does.
 */
const FUNCTION = `
  CREATE FUNCTION transfer_one(unit uuid, payer uuid, payee uuid, cents bigint, money text,
                               why text, what uuid, at timestamptz) RETURNS void
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
    INSERT INTO transfers (id, kind, debit_account_id, credit_account_id, amount, currency, code,
           reference, effective_at, debit_entry, credit_entry, debit_balance, credit_balance)
    VALUES (unit, 'single', payer, payee, cents, money, why, what, at, d.last_entry, c.last_entry,
            d.credits_posted - d.debits_posted, c.credits_posted - c.debits_posted);
  END $$`

const CALL = 'SELECT transfer_one($1, $2, $3, $4, $5, $6, $7, $8)'

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
    async transfer(caller, debit, credit) {
      const { amount, currency } = MONEY
      const now = new Date().toISOString()
      const values = [newUnitId(), debit, credit, amount, currency, 'payment', newId(), now]
      await clients[caller]?.query({ name: 'transfer_one', text: CALL, values })
    },
    async close() {
      await Promise.all(clients.map((client) => client.end()))
    },
  }
}
