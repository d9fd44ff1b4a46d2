/** Gives reserves back when their time has come, or when a rule asks for less than it did. */
import type { Knex } from 'knex'
import {
  createTransfers,
  type Currency,
  lockAvailable,
  newUnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { merchantAccountOf, merchantReserveOf } from '../books/chart.ts'
import { type Drawn, reservesReleased } from '../books/refund_postings.ts'
import type { Context } from '../context.ts'
import { recordEvent } from '../events/events.ts'
import { drawnOf, recordDrawn, takeTurn } from './draw.ts'
import { fixedHeld, openReserves, type Reserve, reserveOut, ripeReserves, rulesOf } from './rows.ts'
import { dayEndOf, dayOf, type ReserveRule, targetOf } from './rules.ts'

/** One run does so many merchants at most, and of each one unit; the next one goes on. */
const MERCHANTS_MAX = 1_000
const PER_UNIT_MAX = 200

/** Any number of workers may do this at once: a merchant's reserves are one worker's at a time. */
export async function releaseReserves(context: Context, most = MERCHANTS_MAX): Promise<void> {
  const { db, log, now } = context
  for (const { merchant, currency } of await dueMerchants(db, now(), most)) {
    try {
      await releaseFor(context, merchant, currency)
    } catch (error) {
      log.error({ err: error, merchant, currency }, 'a reserve was not released; it is tried again')
      const failed = { merchant_id: merchant, currency }
      await db('reserve_marks').where(failed).update({ release_failed_at: now() })
    }
  }
}

interface Whose {
  readonly merchant: Uuid
  readonly currency: Currency
}

/** Those that failed come last, the one that failed latest behind them all. */
async function dueMerchants(db: Knex, at: Date, most: number): Promise<Whose[]> {
  const { rows } = await db.raw<{ rows: Whose[] }>(
    `SELECT due.merchant, due.currency FROM (
     SELECT merchant_id AS merchant, currency FROM reserves
      WHERE remaining > 0 AND release_at <= :at
      UNION
     SELECT r.merchant_id, r.currency FROM reserves r
      WHERE r.remaining > 0 AND r.kind = 'fixed'
      GROUP BY r.merchant_id, r.currency
     HAVING sum(r.remaining) > coalesce((
              SELECT x.amount FROM reserve_rules x
               WHERE x.merchant_id = r.merchant_id AND x.currency = r.currency
                 AND x.kind = 'fixed' AND x.valid_from < :dayEnd
               ORDER BY x.valid_from DESC LIMIT 1), 0)) due
       LEFT JOIN reserve_marks m ON m.merchant_id = due.merchant AND m.currency = due.currency
      ORDER BY m.release_failed_at NULLS FIRST, due.merchant, due.currency
      LIMIT :most`,
    { at, dayEnd: dayEndOf(at), most },
  )
  return rows
}

async function releaseFor(context: Context, merchant: Uuid, currency: Currency): Promise<void> {
  const [account, reserve] = await Promise.all([
    merchantAccountOf(context, merchant, currency),
    merchantReserveOf(context, merchant, currency),
  ])
  await context.db.transaction(async (trx) => {
    await takeTurn(trx, { merchant, currency })
    const at = context.now()
    // Whoever adds a rule has the turn too.
    const rules = await rulesOf(trx, merchant, currency)
    const { open, drawn } = await dueOf(trx, { merchant, currency }, rules, at)
    if (drawn.length === 0) return
    await lockAvailable(trx, [account, reserve])
    const transfers = reservesReleased({ merchant: account, reserve }, currency, drawn)
    await createTransfers(trx, { id: newUnitId(), at, transfers })
    await recordDrawn(trx, drawn, at)
    for (const event of eventsOf(open, drawn, at)) await recordEvent(trx, event)
  })
}

/** Rolling reserves whose time has come, and what fixed ones hold beyond their rule. */
async function dueOf(
  trx: Knex,
  whose: Whose,
  rules: readonly ReserveRule[],
  at: Date,
): Promise<{ readonly open: readonly Reserve[]; readonly drawn: readonly Drawn[] }> {
  const part = (of: readonly Reserve[]) =>
    of.map(({ id, remaining }) => ({ reserve: id, amount: remaining }))
  const ripe = await ripeReserves(trx, whose, at, PER_UNIT_MAX)
  const { merchant: merchant_id, currency } = whose
  const tooMuch = (await fixedHeld(trx, { merchant_id, currency })) - targetOf(rules, dayOf(at))
  if (tooMuch <= 0n) return { open: ripe, drawn: part(ripe) }
  const open = await openReserves(trx, whose, PER_UNIT_MAX - ripe.length)
  const fixed = open.filter(({ kind }) => kind === 'fixed')
  return { open: [...ripe, ...fixed], drawn: [...part(ripe), ...drawnOf(part(fixed), tooMuch)] }
}

const eventsOf = (open: readonly Reserve[], drawn: readonly Drawn[], at: Date) =>
  drawn.flatMap(({ reserve, amount }) => {
    const released = open.find(({ id }) => id === reserve)
    if (released === undefined) return []
    const data = reserveOut({ ...released, remaining: released.remaining - amount })
    const { merchant } = released
    return [{ type: 'reserve.released' as const, object: data.id, merchant, data, at }]
  })
