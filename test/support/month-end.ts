/** What the books say at the end of the month, held against the model of each shop. */
import { expect } from 'chai'
import { findAccounts } from '../../ledger/index.ts'
import { uuidOf } from '../../services/ids.ts'
import { times } from './abuse.ts'
import { call, tokenOf } from './api.ts'
import type { MonthShop } from './month.ts'
import { world } from './world.ts'

/** Each payment of the shop, priced as the model has it; and no other. */
export async function expectFees({ merchant, sold, unsold }: MonthShop): Promise<void> {
  const { owner } = await world()
  const rows = await owner('payments')
    .where({ payee_id: uuidOf(merchant.id) })
    .select('id', 'state', 'amount', 'captured', 'fee', 'tax', 'net', 'refunded', 'disputed')
    .select('fee_volume')
  const sales = new Map(sold.map(({ id, sale }) => [id, sale]))
  const canceled = rows.filter(({ id }) => !sales.has(id))
  expect(canceled.map(({ id }) => id)).to.have.members(unsold)
  for (const { state, captured, net } of canceled) {
    expect([state, captured, net]).to.deep.equal(['canceled', 0n, 0n])
  }
  for (const { id, fee_volume: volume, amount: asked, captured, ...row } of rows) {
    if (unsold.includes(id)) continue
    const sale = sales.get(id)
    if (sale === undefined) throw new Error(`nobody knows of ${id}`)
    const { paid, fee, tax, refunded, disputed } = sale
    const state = sale.isReversed ? 'reversed' : 'completed'
    expect(captured ?? asked).to.equal(paid)
    expect(row).to.deep.equal({ state, fee, tax, net: paid - fee - tax, refunded, disputed })
    // Only a schedule with steps of a month looks at it.
    if (volume > 0n) expect(volume).to.equal(sale.volume)
  }
}

interface Batch {
  readonly id: string
  readonly number: number
  readonly state: string
  readonly from_entry: bigint
  readonly to_entry: bigint
  readonly payout_entry: bigint | null
  readonly payments: number
  readonly net: bigint
  readonly carried_in: bigint
  readonly payout: bigint
  readonly carried_out: bigint
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly refunds: bigint
  readonly fees_returned: bigint
  readonly reserves: bigint
  readonly disputes: bigint
  readonly returned_payouts: bigint
  readonly reversals: bigint
  readonly splits: bigint
  readonly cut_off: Date | null
}

/** Each movement of the account, by its number, as its transfer has it. */
const ENTRIES = `
  SELECT credit_entry AS entry, code, reference, amount FROM transfers
   WHERE credit_account_id = :account AND kind IN ('single', 'post', 'reversal')
   UNION ALL
  SELECT debit_entry, code, reference, -amount FROM transfers
   WHERE debit_account_id = :account AND kind IN ('single', 'post', 'reversal')
   ORDER BY entry`

interface Entry {
  readonly entry: bigint
  readonly code: string
  readonly reference: string
  readonly amount: bigint
}

async function booksOf({ merchant }: MonthShop) {
  const { owner } = await world()
  const [account] = await findAccounts(owner, { owner: merchant.id, type: 'merchant' })
  const [reserve] = await findAccounts(owner, { owner: merchant.id, type: 'reserve' })
  const { rows } = await owner.raw(ENTRIES, { account: account?.id ?? '' })
  const batches: Batch[] = await owner('settlements')
    .where({ merchant_id: uuidOf(merchant.id) })
    .orderBy('number')
  const entries: readonly Entry[] = rows
  return { entries, batches, balance: account?.posted ?? 0n, reserve: reserve?.posted ?? 0n }
}

/** How often a sale brought money: once, or with each capture. */
const timesOf = ({ sale }: MonthShop['sold'][number], shop: MonthShop) =>
  sale.places.filter(([of]) => of === shop.model).length

/** Every payment is in exactly one batch, and the batches are those of the model. */
export async function expectBatches(shop: MonthShop): Promise<void> {
  const { model, sold } = shop
  const { entries, batches, balance, reserve } = await booksOf(shop)
  expect([balance, reserve]).to.deep.equal([model.purse.balance, model.drawer.total()])
  expect(entries.reduce((sum, { amount }) => sum + amount, 0n)).to.equal(balance)
  expect(batches.map(shownOf)).to.deep.equal(model.batches.map(expectedOf))
  const covering = new Map<string, number>()
  for (const { code, reference, entry } of entries) {
    if (code !== 'payment') continue
    const within = batches.filter(({ from_entry, to_entry }) => {
      return from_entry < entry && entry <= to_entry
    })
    expect(within, `batches with entry ${entry}`).to.have.length(1)
    covering.set(reference, (covering.get(reference) ?? 0) + 1)
  }
  expect(covering.size).to.equal(sold.length)
  for (const one of sold) expect(covering.get(one.id), one.id).to.equal(timesOf(one, shop))
  expectIdentity(entries, batches)
}

/** The balance after its last entry is what a batch carries, and the payouts that left later. */
function expectIdentity(entries: readonly Entry[], batches: readonly Batch[]): void {
  let [at, sum, before] = [0, 0n, 0n]
  for (const { number, from_entry, to_entry, carried_out } of batches) {
    expect(from_entry, `where batch ${number} begins`).to.equal(before)
    for (; at < entries.length && entries[at]!.entry <= to_entry; at += 1) {
      sum += entries[at]!.amount
    }
    const later = batches
      .filter((one) => one.number <= number && (one.payout_entry ?? 0n) > to_entry)
      .reduce((total, { payout }) => total + payout, 0n)
    expect(sum, `after batch ${number}`).to.equal(carried_out + later)
    before = to_entry
  }
}

const shownOf = (batch: Batch) => ({
  ...{ state: batch.state, net: batch.net, carriedIn: batch.carried_in, payout: batch.payout },
  ...{ carriedOut: batch.carried_out, gross: batch.gross, fee: batch.fee, tax: batch.tax },
  ...{ refunds: batch.refunds, feesReturned: batch.fees_returned, reserves: batch.reserves },
  ...{ disputes: batch.disputes, returnedPayouts: batch.returned_payouts },
  ...{ reversals: batch.reversals, splits: batch.splits, cutOff: batch.cut_off },
})

function expectedOf({ byCode, ...batch }: MonthShop['model']['batches'][number]) {
  const of = (...codes: readonly string[]) =>
    codes.reduce((sum, code) => sum + (byCode[code] ?? 0n), 0n)
  return {
    ...{ state: batch.state, net: batch.net, carriedIn: batch.carriedIn, payout: batch.payout },
    ...{ carriedOut: batch.carriedOut, gross: of('payment'), fee: -of('fee'), tax: -of('tax') },
    ...{ refunds: of('refund'), feesReturned: of('fee_returned'), cutOff: batch.cutOff },
    ...{ reversals: of('reversal'), splits: of('split', 'split_returned') },
    reserves: of('reserve', 'reserve_released'),
    disputes: of('dispute', 'dispute_fee', 'chargeback_reversed'),
    returnedPayouts: of('payout_rejected', 'return'),
  }
}

interface Statement {
  readonly opening_balance: string
  readonly closing_balance: string
  readonly net: string
  readonly payouts: string
  readonly lines: readonly { readonly id: string; readonly code: string; readonly net: string }[]
}

async function statement({ merchant }: MonthShop, path: string): Promise<Statement> {
  const { apiUrl } = await world()
  const headers = { authorization: `Bearer ${await tokenOf(merchant)}` }
  const answer = await fetch(`${apiUrl}${path}`, { headers })
  const text = await answer.text()
  expect(answer.status, text.slice(0, 500)).to.equal(200)
  return JSON.parse(text)
}

const sumOf = (lines: Statement['lines']) => lines.reduce((sum, { net }) => sum + BigInt(net), 0n)

/** Its figures and its lines lead from what it opens with to what it closes with. */
function expectClosed(one: Statement): readonly [opening: bigint, closing: bigint] {
  const [opening, closing] = [BigInt(one.opening_balance), BigInt(one.closing_balance)]
  expect(opening + sumOf(one.lines)).to.equal(closing)
  expect(opening + BigInt(one.net) - BigInt(one.payouts)).to.equal(closing)
  return [opening, closing]
}

/**
 * What the shop itself can read comes to its balance, and has each payment once.
 * @param months in which something happened, the first ones first.
 */
export async function expectStatements(shop: MonthShop, months: readonly string[]): Promise<void> {
  const { merchant, model, sold } = shop
  let balance = 0n
  for (const month of months) {
    const path = `/v1/merchants/${merchant.id}/statements/${month}?currency=EUR`
    const [opening, closing] = expectClosed(await statement(shop, path))
    expect(opening, month).to.equal(balance)
    balance = closing
  }
  expect(balance).to.equal(model.purse.balance)
  const { body } = await call(merchant, 'GET', '/v1/settlements?limit=100')
  expect(body.data).to.have.length(model.batches.length)
  const seen: string[] = []
  for (const { id, net } of body.data) {
    const one = await statement(shop, `/v1/settlements/${id}/statement?format=json`)
    expectClosed(one)
    expect(sumOf(one.lines.filter(({ code }) => code !== 'payout'))).to.equal(BigInt(net))
    for (const line of one.lines) if (line.code === 'payment') seen.push(uuidOf(line.id))
  }
  const expected = sold.flatMap((one) => times(timesOf(one, shop), () => one.id))
  expect(seen.toSorted()).to.deep.equal(expected.toSorted())
}
