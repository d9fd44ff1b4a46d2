/** Reserves of a shop, and how its money stands. */
import { expect } from 'chai'
import { findAccounts } from '../../ledger/index.ts'
import { uuidOf } from '../../services/ids.ts'
import { releaseReserves } from '../../services/reserves/release.ts'
import { reserveDue } from '../../services/reserves/reserve.ts'
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
