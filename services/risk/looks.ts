/** What rules must look up, many callers in one query; only where a rule asks for it. */
import type { Knex } from 'knex'
import type { Currency, Uuid } from '../../ledger/index.ts'
import type { Facts } from '../clearance/facts.ts'
import { type Load, openLoader } from '../loader.ts'
import type { Recent } from './kinds.ts'

export interface Looks {
  readonly recent: (facts: Facts, window_s: number) => Promise<Recent>
  readonly firstPaidAt: (facts: Facts) => Promise<Date | undefined>
  readonly country: (kind: 'person' | 'merchant', id: Uuid) => Promise<string | undefined>
}

export function openLooks(db: Knex): Looks {
  const [recents, firsts] = [openRecents(db), openFirsts(db)]
  const countries = {
    person: openCountries(db, 'people'),
    merchant: openCountries(db, 'merchants'),
  }
  return {
    recent: async ({ rail, payer, money, at }, window_s) => {
      const since = new Date(at.getTime() - window_s * 1000)
      const { id } = payer
      const asked = {
        id,
        kinds: kindsOf(rail),
        currency: money.currency,
        since: since.toISOString(),
      }
      return (await recents(JSON.stringify(asked))) ?? { payments: 0n, amount: 0n }
    },
    firstPaidAt: async ({ payer, payee }) =>
      payee === null ? undefined : firsts(`${payer.id} ${payee.id}`),
    country: (kind, id) => countries[kind](id),
  }
}

/** Money of one's own is counted by itself; exchanges are no payments, and no rule counts them. */
const kindsOf = (rail: Facts['rail']): string =>
  rail === 'top_up' || rail === 'withdrawal' ? rail : 'person order'

interface Asked {
  readonly id: Uuid
  readonly kinds: string
  readonly currency: Currency
  readonly since: string
}

/** Ids begin with the time they were made at: the index on (payer, id) finds the window. */
const RECENT = `
  SELECT asked.key, count(*) AS payments,
         coalesce(sum(amount) FILTER (WHERE currency = asked.unit), 0)::bigint AS amount
    FROM unnest(?::text[], ?::uuid[], ?::text[], ?::text[], ?::timestamptz[], ?::uuid[])
         AS asked (key, payer, kinds, unit, since, first)
    JOIN payments ON payer_id = asked.payer AND payments.id >= asked.first
     AND created_at > asked.since AND kind = ANY (string_to_array(asked.kinds, ' '))
   GROUP BY asked.key`

/** Payments that were asked for, whatever became of them. */
function openRecents(db: Knex): Load<string, Recent> {
  return openLoader(async (keys) => {
    const asked = keys.map((key) => JSON.parse(key) as Asked)
    const { rows } = await db.raw<{ rows: (Recent & { key: string })[] }>(RECENT, [
      [...keys],
      asked.map(({ id }) => id),
      asked.map(({ kinds }) => kinds),
      asked.map(({ currency }) => currency),
      asked.map(({ since }) => since),
      asked.map(({ since }) => firstIdAt(since)),
    ])
    return new Map(rows.map(({ key, payments, amount }) => [key, { payments, amount }]))
  })
}

/** Clocks of several processes differ a little: what is before that is left to `created_at`. */
const CLOCKS_APART_MS = 60_000

/** No UUIDv7 that was made since then is smaller. */
function firstIdAt(since: string): Uuid {
  const at_ms = Math.max(0, Date.parse(since) - CLOCKS_APART_MS)
  const hex = at_ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}

const FIRST = `
  SELECT asked.payer, asked.payee, (
    SELECT created_at FROM payments
     WHERE payer_id = asked.payer AND payee_id = asked.payee AND state = 'completed'
     ORDER BY id LIMIT 1) AS at
    FROM unnest(?::uuid[], ?::uuid[]) AS asked (payer, payee)`

/** By payer and payee: when the first payment that was completed was made. */
function openFirsts(db: Knex): Load<string, Date> {
  return openLoader(async (keys) => {
    const pairs = keys.map((key) => key.split(' ') as [payer: Uuid, payee: Uuid])
    const { rows } = await db.raw<{ rows: { payer: Uuid; payee: Uuid; at: Date | null }[] }>(
      FIRST,
      [pairs.map(([payer]) => payer), pairs.map(([, payee]) => payee)],
    )
    const known = rows.flatMap(({ payer, payee, at }) =>
      at === null ? [] : [[`${payer} ${payee}`, at] as const],
    )
    return new Map(known)
  })
}

function openCountries(db: Knex, table: 'people' | 'merchants'): Load<Uuid, string> {
  return openLoader(async (ids) => {
    const rows = await db(table).whereIn('id', ids).whereNotNull('country').select('id', 'country')
    return new Map(rows.map(({ id, country }) => [id as Uuid, country as string]))
  })
}
