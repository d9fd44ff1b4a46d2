/** The payments of a month as they were priced, however many there are. */
import type { Knex } from 'knex'
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Past } from './replay.ts'

export interface Wanted {
  readonly currency: Currency
  /** Null: of all. */
  readonly merchant: Uuid | null
  readonly from: Date
  readonly to: Date
}

/** Rows of one reading, as one text: parsing it here costs a third of what `pg` takes for rows. */
const BATCH = 10_000

/** Merchant by merchant, so that what a merchant was paid before each day can be added up. */
const QUERY = `
  SELECT concat_ws(',', payee_id, coalesce(captured, amount) - surcharge, fee + tax,
           (extract(epoch FROM coalesce(fee_at, created_at)) * 1000)::bigint,
           CASE WHEN bank_account_id IS NULL THEN 'wallet' ELSE 'bank' END,
           coalesce(fee_country, ''), coalesce(fee_category, '')) AS line
    FROM payments
   WHERE kind = 'order' AND state = 'completed' AND currency = :currency
     AND coalesce(fee_at, created_at) >= :from AND coalesce(fee_at, created_at) < :to
     AND (payee_id = :merchant OR :merchant::uuid IS NULL)`

export async function countPast(db: Knex, wanted: Wanted): Promise<number> {
  const { rows } = await db.raw(`SELECT count(*) AS count FROM (${QUERY}) AS past`, values(wanted))
  return Number(rows[0].count)
}

const values = ({ currency, merchant, from, to }: Wanted) => ({
  ...{ currency, merchant, from: from.toISOString(), to: to.toISOString() },
})

/**
 * Reads them by a cursor, so that neither side holds more than a batch of them beside the sorting;
 * while one batch is looked at, the next is on its way.
 */
export async function readPast(
  db: Knex,
  wanted: Wanted,
  take: (batch: readonly Past[]) => void,
): Promise<void> {
  await db.transaction(
    async (trx) => {
      await trx.raw('SET LOCAL statement_timeout = 0')
      const order = 'ORDER BY payee_id, coalesce(fee_at, created_at)'
      await trx.raw(`DECLARE past NO SCROLL CURSOR FOR ${QUERY} ${order}`, values(wanted))
      let next = fetch(trx)
      for (;;) {
        const lines = await next
        if (lines.length === 0) return
        next = fetch(trx)
        take(lines.map(pastFrom))
      }
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )
}

async function fetch(trx: Knex.Transaction): Promise<readonly string[]> {
  const { rows } = await trx.raw<{ rows: { line: string }[] }>(`FETCH ${BATCH} FROM past`)
  return rows.map(({ line }) => line)
}

function pastFrom(line: string): Past {
  const [merchant = '', amount = '', charged = '', at_ms = '', rail, country, category] =
    line.split(',')
  return {
    merchant,
    amount: BigInt(amount),
    charged: BigInt(charged),
    at: new Date(Number(at_ms)),
    rail: rail === 'bank' ? 'bank' : 'wallet',
    country: country === '' || country === undefined ? null : country,
    category: category === '' || category === undefined ? null : category,
  }
}
