/** Reserves of a shop, and how its money stands. */
import { expect } from 'chai'
import { createTransfers, findAccounts, newId, newUnitId } from '../../ledger/index.ts'
import { merchantAccountOf, merchantReserveOf } from '../../services/books/chart.ts'
import { reserved } from '../../services/books/refund_postings.ts'
import { eventRow } from '../../services/events/events.ts'
import { uuidOf } from '../../services/ids.ts'
import { releaseReserves } from '../../services/reserves/release.ts'
import { reserveDue } from '../../services/reserves/reserve.ts'
import { reserveOut, reserveRow } from '../../services/reserves/rows.ts'
import { dayOf } from '../../services/reserves/rules.ts'
import { times } from './abuse.ts'
import { call } from './api.ts'
import type { Merchant } from './people.ts'
import { together } from './proposals.ts'
import { world } from './world.ts'

export const FREE = { percent: '0', fixed: '0' }
export const rolling = (percent: string, days: number) => ({ kind: 'rolling', percent, days })
export const fixed = (amount: string) => ({ kind: 'fixed', amount })

export async function reserveRule({ id }: Merchant, terms: object) {
  const body = { currency: 'EUR', ...terms }
  const added = await together(`/v1/merchants/${id}/reserve_rules`, { body })
  expect(added.status, added.text).to.equal(201)
  return added.body
}

export async function keep({ id }: Merchant): Promise<bigint> {
  const { worker } = await world()
  return reserveDue(worker, uuidOf(id), 'EUR')
}

export const DAY_MS = 86_400_000

/** As a worker would that looks so many days from now. */
export async function releaseIn(days: number): Promise<void> {
  const { worker } = await world()
  await releaseReserves({ ...worker, now: () => new Date(Date.now() + days * DAY_MS) })
}

export const reservesOf = async (shop: Merchant) =>
  (await call(shop, 'GET', '/v1/reserves')).body.data as readonly {
    readonly id: string
    readonly kind: string
    readonly amount: string
    readonly remaining: string
  }[]

/** What the shop has, and what is kept back. */
export async function money({ id: owner }: Merchant) {
  const { worker } = await world()
  const postedOf = async (type: 'merchant' | 'reserve') =>
    (await findAccounts(worker.db, { owner, type, currency: 'EUR' }))[0]?.posted ?? 0n
  return { balance: await postedOf('merchant'), reserve: await postedOf('reserve') }
}

/** As if so much had been kept of each of the last days, so many of them; 200 at most. */
export async function keepOfDays(shop: Merchant, days: number, amount: bigint): Promise<void> {
  const rule = await reserveRule(shop, rolling('10', days))
  const { worker } = await world()
  const [merchant, at, unit] = [uuidOf(shop.id), new Date(), newUnitId()]
  const dayFrom = (now: number) => new Date(at.getTime() + now * DAY_MS)
  const all = times(days, (nth) => ({
    ...{ id: newId(), merchant, currency: 'EUR', rule: uuidOf(rule.id), kind: 'rolling' as const },
    ...{ day: dayOf(dayFrom(-nth)), amount, remaining: amount, unit, beyond: 0n, last: 0n },
    ...{ releaseAt: dayFrom(days - nth), createdAt: at },
  }))
  const accounts = {
    merchant: await merchantAccountOf(worker, merchant, 'EUR'),
    reserve: await merchantReserveOf(worker, merchant, 'EUR'),
  }
  await worker.db.transaction(async (trx) => {
    const kept = all.map((one) => ({ reserve: one.id, amount }))
    await createTransfers(trx, { id: unit, at, transfers: reserved(accounts, 'EUR', kept) })
    await trx('reserves').insert(all.map(reserveRow))
    const events = all
      .map(reserveOut)
      .map((data) => eventRow({ type: 'reserve.held', object: data.id, merchant, data, at }))
    await trx('events').insert(events)
  })
}
