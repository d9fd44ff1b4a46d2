/** A merchant whose account tests move as they like, with a model of it beside. */
import { expect } from 'chai'
import {
  type AccountId,
  createTransfers,
  newId,
  newUnitId,
  type NewTransfer,
  openAccount,
} from '../../ledger/index.ts'
import { bankAccountsOf, feeAccounts, merchantAccountOf } from '../../services/books/chart.ts'
import { uuidOf } from '../../services/ids.ts'
import { openModelAccount } from '../model/settlement.ts'
import { until } from './abuse.ts'
import { call } from './api.ts'
import { linkedAccount, merchant } from './people.ts'
import { world } from './world.ts'

/** Where money of each code comes from or goes to. */
type Other = 'wallet' | 'fees' | 'tax' | 'reserve' | 'suspense'
const OTHERS: Readonly<Record<string, Other>> = {
  ...{ payment: 'wallet', refund: 'wallet', split: 'wallet', adjustment: 'suspense' },
  ...{ fee: 'fees', fee_returned: 'fees', tax: 'tax', tax_returned: 'tax' },
  ...{ reserve: 'reserve', reserve_released: 'reserve', dispute: 'suspense' },
}

export type Stall = Awaited<ReturnType<typeof stall>>

/** Sells in EUR, and has an account at a bank. */
export async function stall(isLinked = true) {
  const shop = await merchant()
  if (isLinked) await linkedAccount(shop)
  const { worker } = await world()
  const account = await merchantAccountOf(worker, uuidOf(shop.id), 'EUR')
  const others = await othersOf()
  const model = openModelAccount()
  let held = 0n

  const post = (transfers: readonly NewTransfer[]) =>
    worker.db.transaction((trx) =>
      createTransfers(trx, { id: newUnitId(), at: new Date(), transfers }),
    )

  /** Moves the account by each of these, in one unit; of one thing. */
  async function move(...changes: readonly (readonly [code: string, change: bigint])[]) {
    const reference = newId()
    await post(
      changes.map(([code, change]) => {
        const other = others[OTHERS[code] ?? 'suspense']
        const [debit, credit] = change > 0n ? [other, account] : [account, other]
        const money = { amount: change > 0n ? change : -change, currency: 'EUR' }
        return { kind: 'single', code, reference, debit, credit, money }
      }),
    )
    for (const [code, change] of changes) model.add(code, change)
    return reference
  }

  /** Reserves some of it to leave: for good. */
  async function hold(amount: bigint) {
    const money = { amount, currency: 'EUR' }
    const why = { code: 'refund', reference: newId() }
    await post([{ kind: 'pending', debit: account, credit: others.wallet, money, ...why }])
    held += amount
  }

  return { shop, account, model, move, hold, held: () => held }
}

async function othersOf(): Promise<Readonly<Record<Other, AccountId>>> {
  const { worker } = await world()
  const owner = `test ${newId()}`
  const open = (type: 'wallet' | 'reserve' | 'loss') =>
    openAccount(worker.db, { owner, type, currency: 'EUR' })
  const [wallet, reserve, loss, ours, { suspense }] = await Promise.all([
    ...([open('wallet'), open('reserve'), open('loss')] as const),
    ...([feeAccounts(worker, 'EUR'), bankAccountsOf(worker, 'north', 'EUR')] as const),
  ])
  const money = { amount: 10_000_000_000n, currency: 'EUR' }
  const fund = { kind: 'single', code: 'test', reference: newId(), debit: loss } as const
  const at = new Date()
  await worker.db.transaction((trx) =>
    createTransfers(trx, {
      ...{ id: newUnitId(), at },
      transfers: [wallet, reserve].map((credit) => ({ ...fund, credit, money })),
    }),
  )
  return { wallet, reserve, suspense, ...ours }
}

/** Every batch of the merchant, the oldest first, with its lines. */
export async function batchesOf({ shop }: Pick<Stall, 'shop'>) {
  const { body } = await call(shop, 'GET', '/v1/settlements?limit=100')
  return Promise.all(
    body.data.toReversed().map(async (batch: { id: string }) => {
      const lines = []
      for (let cursor = ''; ;) {
        const path = `/v1/settlements/${batch.id}/statement?limit=7${cursor}`
        const answer = await call(shop, 'GET', path)
        expect(answer.status, answer.text).to.equal(200)
        lines.push(...answer.body.data)
        if (answer.body.next_cursor === null) break
        cursor = `&cursor=${answer.body.next_cursor}`
      }
      return { ...batch, lines }
    }),
  )
}

/** Waits until the bank has said its last word about the batch. */
export async function ends({ shop }: Stall, id: string, state: string): Promise<void> {
  const read = () => call(shop, 'GET', `/v1/settlements/${id}`)
  await until(async () => (await read()).body.state === state)
}
