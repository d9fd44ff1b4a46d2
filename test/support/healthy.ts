/** Books in which everything has happened that can happen, and all of it rightly. */
import type { Knex } from 'knex'
import {
  type AccountType,
  createTransfers,
  newId,
  newUnitId,
  type NewTransfer,
  openAccount,
} from '../../ledger/index.ts'
import { AT, pending, resolution, single, times } from './books.ts'

export type Healthy = Awaited<ReturnType<typeof openHealthyBooks>>

/** @returns the accounts, and a transfer of each kind, by what they are. */
export async function openHealthyBooks(db: Knex) {
  const tools = openTools(db)
  const { account, post } = tools
  const [ada, ben, closed] = [await account(), await account(), await account()]
  const [bank, merchant, fees] = [
    await account('bank'),
    await account('merchant'),
    await account('fees'),
  ]
  const reverse = (original: string) => post({ kind: 'reversal', original, ...AT() })

  for (const wallet of [ada, ben, closed]) await post(single(bank, wallet, 1_000n))
  const payment = await post(single(ada, merchant, 100n), single(merchant, fees, 3n))
  const hold = await post(expiring(pending(ada, merchant, 50n)), pending(ada, ben, 30n))
  const capture = await post({ ...resolution('post', hold), amount: 40n })
  await post({ ...resolution('post', hold), amount: 20n })
  const given = await post(pending(ada, merchant, 30n))
  await post({ ...resolution('post', given), amount: 10n, isFinal: true })
  await post(resolution('void', await post(pending(ben, merchant, 10n))))
  const reversed = await post(single(ada, ben, 25n))
  const reversal = await reverse(reversed)
  const otherReversal = await reverse(await post(single(ben, ada, 5n)))
  await reverse(await post(resolution('post', await post(pending(ada, ben, 8n)))))
  await exchange(tools, ada)
  await post(single(closed, ada, 1_000n))
  await db('accounts').where({ id: closed }).update({ closed_at: db.fn.now() })
  const late = await latePayment(tools, ada, ben)
  const open = await post(expiring(pending(ada, ben, 11n)))
  const last = await post(single(ada, ben, 1n))
  await db('claims').insert({ id: newId(), fingerprint: Buffer.alloc(16), answer: '{}' })
  await Promise.all(times(3, () => account('suspense')))
  return {
    ...{ ada, ben, closed, bank, merchant, fees, payment, hold, capture, reversed, reversal },
    ...{ otherReversal, late, open, last },
  }
}

const expiring = (movement: ReturnType<typeof pending>) => ({
  ...movement,
  expiresAt: new Date(Date.now() + 3_600_000),
})

type Tools = ReturnType<typeof openTools>

function openTools(db: Knex) {
  const account = (type: AccountType = 'wallet', currency = 'EUR') =>
    openAccount(db, { owner: newId(), type, currency })
  /** The id of the unit's first transfer, which is that of the unit. */
  async function post(...transfers: NewTransfer[]): Promise<string> {
    const id = newUnitId()
    await db.transaction((trx) => createTransfers(trx, { id, at: new Date(), transfers }))
    return id
  }
  return { db, account, post }
}

async function exchange({ account, post }: Tools, ada: string) {
  const dollars = (debit: string, credit: string, amount: bigint) => ({
    ...single(debit, credit, amount),
    money: { amount, currency: 'USD' },
  })
  const [position, ours] = [await account('fx'), await account('fx', 'USD')]
  const abroad = await account('wallet', 'USD')
  await post(single(ada, position, 90n), dollars(ours, abroad, 100n))
}

/** What comes late into a period of Ben's that is closed is booked into the next. */
async function latePayment({ db, post }: Tools, ada: string, ben: string): Promise<string> {
  const yesterday = new Date(Date.now() - 86_400_000)
  const early = new Date(Date.now() - 90_000_000)
  await post({ ...single(ada, ben, 4n), effectiveAt: early })
  await db('closed_periods').insert({ account_id: ben, closed_through: yesterday, balance: '4' })
  await db('accounts').where({ id: ben }).update({ closed_through: yesterday })
  return post({ ...single(ben, ada, 2n), effectiveAt: early })
}
