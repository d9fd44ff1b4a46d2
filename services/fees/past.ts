/** The payments of a month as they were priced, however many there are. */
import type { Knex } from 'knex'
import { copyOut, type Currency, type Uuid, uuidOfHex } from '../../ledger/index.ts'
import type { Past } from './replay.ts'

export interface Wanted {
  readonly currency: Currency
  /** Null: of all. */
  readonly merchant: Uuid | null
  readonly from: Date
  readonly to: Date
}

/** In the order in which `openPayments` takes them apart. */
const QUERY = `
  SELECT payee_id, coalesce(captured, amount) - surcharge, fee + tax,
         coalesce(fee_at, created_at), bank_account_id IS NULL, fee_country, fee_category
    FROM payments
   WHERE kind = 'order' AND state = 'completed' AND currency = :currency
     AND coalesce(fee_at, created_at) >= :from AND coalesce(fee_at, created_at) < :to
     AND (payee_id = :merchant OR :merchant::uuid IS NULL)`

/** Both take as long as they take. */
const reading = <T>(db: Knex, read: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(
    async (trx) => {
      await trx.raw('SET LOCAL transaction_timeout = 0; SET LOCAL statement_timeout = 0')
      return read(trx)
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  )

export const countPast = (db: Knex, wanted: Wanted): Promise<number> =>
  reading(db, async (trx) => {
    const counting = `SELECT count(*) AS count FROM (${QUERY}) AS past`
    const { rows } = await trx.raw(counting, values(wanted))
    return Number(rows[0].count)
  })

const values = ({ currency, merchant, from, to }: Wanted) => ({
  ...{ currency, merchant, from: from.toISOString(), to: to.toISOString() },
})

/**
 * Merchant by merchant and in the order of their days, so that what a merchant was paid before each
 * can be added up. Nothing is kept: Postgres sends as fast as they are taken.
 */
export const readPast = (db: Knex, wanted: Wanted, take: (past: Past) => void): Promise<void> =>
  reading(db, async (trx) => {
    const paymentOf = openPayments()
    const sorted = `${QUERY} ORDER BY payee_id, coalesce(fee_at, created_at)`
    // COPY takes no parameters: they are in its text, quoted.
    await copyOut(trx, trx.raw(sorted, values(wanted)).toQuery(), (tuple) => {
      take(paymentOf(tuple))
      return undefined
    })
  })

/** Behind the number of fields: each is its length, -1 for null, and its bytes. */
const [FIELDS_AT, LENGTH_BYTES, ID_BYTES] = [2, 4, 16]
/** Where Postgres begins to count microseconds. */
const EPOCH_MS = Date.UTC(2000, 0, 1)
const MERCHANT_AT = FIELDS_AT + LENGTH_BYTES
const AMOUNT_AT = MERCHANT_AT + ID_BYTES + LENGTH_BYTES
const CHARGED_AT = AMOUNT_AT + 8 + LENGTH_BYTES
const MOMENT_AT = CHARGED_AT + 8 + LENGTH_BYTES
const RAIL_AT = MOMENT_AT + 8 + LENGTH_BYTES
const COUNTRY_AT = RAIL_AT + 1

/** From tuples of COPY BINARY, whose numbers need not be parsed. */
function openPayments(): (tuple: Buffer) => Past {
  const last = Buffer.alloc(ID_BYTES)
  let merchant = uuidOfHex(last.toString('hex'))
  return (tuple) => {
    if (tuple.compare(last, 0, ID_BYTES, MERCHANT_AT, MERCHANT_AT + ID_BYTES) !== 0) {
      tuple.copy(last, 0, MERCHANT_AT)
      merchant = uuidOfHex(last.toString('hex'))
    }
    const country = textAt(tuple, COUNTRY_AT)
    return {
      merchant,
      amount: BigInt(int64At(tuple, AMOUNT_AT)),
      charged: BigInt(int64At(tuple, CHARGED_AT)),
      at: new Date(EPOCH_MS + Math.floor(int64At(tuple, MOMENT_AT) / 1_000)),
      rail: tuple[RAIL_AT] === 1 ? 'wallet' : 'bank',
      country,
      category: textAt(tuple, COUNTRY_AT + LENGTH_BYTES + (country?.length ?? 0)),
    }
  }
}

/** Exact up to 2^53, as amounts are and as microseconds will be for two centuries. */
const int64At = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

function textAt(tuple: Buffer, at: number): string | null {
  const length = tuple.readInt32BE(at)
  const from = at + LENGTH_BYTES
  return length < 0 ? null : tuple.toString('latin1', from, from + length)
}
