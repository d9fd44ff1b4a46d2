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
import { openReserves, type Reserve, reserveOut, rulesOf } from './rows.ts'
import type { ReserveRule } from './rules.ts'

/** One run does so many merchants at most, and of each one unit; the next one goes on. */
const MERCHANTS_MAX = 1_000
const PER_UNIT_MAX = 200

/** Any number of workers may do this at once: a merchant's reserves are one worker's at a time. */
export async function releaseReserves(context: Context): Promise<void> {
  const { db, log, now } = context
  for (const { merchant, currency } of await dueMerchants(db, now())) {
    try {
      await releaseFor(context, merchant, currency)
    } catch (error) {
      log.error({ err: error, merchant, currency }, 'a reserve was not released; it is tried again')
    }
  }
}

interface Whose {
  readonly merchant: Uuid
  readonly currency: Currency
}

async function dueMerchants(db: Knex, at: Date): Promise<Whose[]> {
  const { rows } = await db.raw<{ rows: Whose[] }>(
    `SELECT merchant_id AS merchant, currency FROM reserves
      WHERE remaining > 0 AND release_at <= :at
      UNION
     SELECT r.merchant_id, r.currency FROM reserves r
      WHERE r.remaining > 0 AND r.kind = 'fixed'
      GROUP BY r.merchant_id, r.currency
     HAVING sum(r.remaining) > coalesce((
              SELECT x.amount FROM reserve_rules x
               WHERE x.merchant_id = r.merchant_id AND x.currency = r.currency
                 AND x.kind = 'fixed' AND x.valid_from <= :at
               ORDER BY x.valid_from DESC LIMIT 1), 0)
      LIMIT :limit`,
    { at, limit: MERCHANTS_MAX },
  )
  return rows
}

async function releaseFor(context: Context, merchant: Uuid, currency: Currency): Promise<void> {
  const [rules, account, reserve] = await Promise.all([
    rulesOf(context.db, merchant, currency),
    merchantAccountOf(context, merchant, currency),
    merchantReserveOf(context, merchant, currency),
  ])
  await context.db.transaction(async (trx) => {
    await takeTurn(trx, { merchant, currency })
    const at = context.now()
    const open = await openReserves(trx, { merchant, currency }, PER_UNIT_MAX)
    const drawn = dueOf(open, rules, at)
    if (drawn.length === 0) return
    await lockAvailable(trx, [account, reserve])
    const transfers = reservesReleased({ merchant: account, reserve }, currency, drawn)
    await createTransfers(trx, { id: newUnitId(), at, transfers })
    await recordDrawn(trx, drawn, at)
    for (const event of eventsOf(open, drawn, at)) await recordEvent(trx, event)
  })
}

/** Rolling reserves whose time has come, and what fixed ones hold beyond their rule. Pure. */
function dueOf(
  open: readonly Reserve[],
  rules: readonly ReserveRule[],
  at: Date,
): readonly Drawn[] {
  const part = (of: readonly Reserve[]) =>
    of.map(({ id, remaining }) => ({ reserve: id, amount: remaining }))
  const rolling = open.filter(({ releaseAt }) => releaseAt !== null && releaseAt <= at)
  const fixed = part(open.filter(({ kind }) => kind === 'fixed'))
  const held = fixed.reduce((sum, { amount }) => sum + amount, 0n)
  const [rule] = rules
    .filter(({ terms, validFrom }) => terms.kind === 'fixed' && validFrom <= at)
    .toSorted((one, other) => +other.validFrom - +one.validFrom)
  const target = rule?.terms.kind === 'fixed' ? rule.terms.amount : 0n
  return [...part(rolling), ...(held > target ? drawnOf(fixed, held - target) : [])]
}

const eventsOf = (open: readonly Reserve[], drawn: readonly Drawn[], at: Date) =>
  drawn.flatMap(({ reserve, amount }) => {
    const released = open.find(({ id }) => id === reserve)
    if (released === undefined) return []
    const data = reserveOut({ ...released, remaining: released.remaining - amount })
    const { merchant } = released
    return [{ type: 'reserve.released' as const, object: data.id, merchant, data, at }]
  })
