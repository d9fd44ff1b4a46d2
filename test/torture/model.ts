/**
 * What everybody must own in the end, worked out from the clients' journal and the banks' logs by
 * arithmetic of its own. It shares no code with the product; which reference a bank was given for a
 * payment is the one thing that it is told from the product's tables (see `settledBy`).
 */
import type { Asks } from './journal.ts'
import { type Intents, madeOf } from './told.ts'

/**
 * In cents, by `wallet customer_1`, `held customer_1` (of that, for merchants to take), `merchant
 * shop_1`, `fees`, `tax` and `suspense` (contested).
 */
export type Balances = ReadonlyMap<string, bigint>

/** `over / under`, rounded half to even; neither is negative. */
function rounded(over: bigint, under: bigint): bigint {
  const [whole, rest] = [over / under, 2n * (over % under)]
  if (rest < under) return whole
  if (rest > under) return whole + 1n
  return whole + (whole % 2n)
}

/** "1.4" is 14 of 1000. */
function percent(text: string): readonly [over: bigint, under: bigint] {
  const [whole = '0', decimals = ''] = text.split('.')
  return [BigInt(whole + decimals), 100n * 10n ** BigInt(decimals.length)]
}

interface Terms {
  readonly percent: string
  readonly fixed: string
  readonly tax_percent: string
  readonly refund_fees: 'keep' | 'give_back' | 'pro_rata'
}

function feesOf(terms: Terms, captured: bigint) {
  const [over, under] = percent(terms.percent)
  const variable = rounded(captured * over, under)
  const fee = captured === 0n ? 0n : variable + BigInt(terms.fixed)
  const [taxOver, taxUnder] = percent(terms.tax_percent)
  const back = { keep: 0n, give_back: fee, pro_rata: variable }[terms.refund_fees]
  return { fee, tax: rounded(fee * taxOver, taxUnder), back }
}

/** An order that somebody has paid. */
interface Sale {
  readonly payer: string
  readonly shop: string
  readonly amount: bigint
  captured: bigint
  refunded: bigint
  isVoid: boolean
  dispute?: { readonly amount: bigint; outcome: 'open' | 'won' | 'lost' }
}

const STEP = /^\/v1\/payments\/(.+)\/(capture|void|refunds|disputes)$/
const DECISION = /^\/v1\/disputes\/(.+)\/(accept|resolve)$/

/** Money that came without our asking, and the words that came with it. */
interface Unasked {
  readonly amount: bigint
  readonly remittance: string
}

/** What has been read of the journal so far. */
interface Till {
  readonly add: (name: string, amount: bigint) => void
  readonly settled: Balances
  readonly terms: Map<string, Terms>
  readonly orders: Map<string, Asks>
  readonly sales: Map<string, Sale>
  readonly contested: Map<string, Sale>
}

/**
 * @param settled by the id of a payment: what its bank moved for it, positive where it came in.
 * @param unasked is for whoever it names; else it waits for operators.
 */
export function balancesOf(
  intents: Intents,
  settled: Balances,
  unasked: readonly Unasked[] = [],
): Balances {
  const balances = new Map<string, bigint>()
  const add = (name: string, amount: bigint) =>
    balances.set(name, (balances.get(name) ?? 0n) + amount)
  const till: Till = {
    ...{ add, settled, terms: new Map(), orders: new Map(), sales: new Map() },
    contested: new Map(),
  }
  for (const { asks, made } of madeOf(intents)) note(till, asks, made)
  for (const sale of till.sales.values()) sell(add, sale, till.terms.get(sale.shop))
  for (const { amount, remittance } of unasked) {
    const [, payee] = /@(\S+)/.exec(remittance) ?? []
    add(payee === undefined ? 'suspense' : `wallet ${payee}`, amount)
  }
  return balances
}

function note(till: Till, asks: Asks, made: Readonly<Record<string, unknown>>): void {
  const { add, settled, terms, orders, contested } = till
  const { path, who, body = {} } = asks
  const id = String(made['id'])
  const [steps, decision] = [STEP.exec(path), DECISION.exec(path)]
  if (path === '/v1/merchants') terms.set(String(body['subject']), body['fees'] as Terms)
  else if (path === '/v1/orders') orders.set(id, asks)
  else if (path === '/v1/payments') pay(till, id, asks)
  else if (path === '/v1/top_ups' || path === '/v1/withdrawals')
    add(`wallet ${who}`, settled.get(id) ?? 0n)
  else if (path === '/v1/settlements') add(`merchant ${who}`, settled.get(id) ?? 0n)
  else if (steps !== null) step(till, steps, asks, id)
  else if (decision !== null) decide(contested, decision, asks)
}

function pay({ add, settled, orders, sales }: Till, id: string, { who, body = {} }: Asks): void {
  const [amount, order] = [BigInt(String(body['amount'])), orders.get(String(body['order']))]
  if (order !== undefined) {
    const captured = order.body?.['capture'] === 'manual' ? 0n : amount
    const sale = { payer: who, shop: order.who, amount, captured, refunded: 0n, isVoid: false }
    sales.set(id, sale)
    return
  }
  const isFromBank = body['source'] !== undefined
  const moved = isFromBank ? (settled.get(id) ?? 0n) : amount
  if (!isFromBank) add(`wallet ${who}`, -moved)
  add(`wallet ${String(body['payee']).slice(1)}`, moved)
}

function step(
  { sales, contested }: Till,
  [, id = '', what]: RegExpExecArray,
  asks: Asks,
  made: string,
): void {
  const sale = sales.get(id)
  if (sale === undefined) throw new Error(`${asks.path} is of nothing that was sold`)
  const asked = asks.body?.['amount']
  const amount = (left: bigint) => (asked === undefined ? left : BigInt(asked as string))
  if (what === 'capture') sale.captured += amount(sale.amount - sale.captured)
  if (what === 'refunds') sale.refunded += amount(sale.captured - sale.refunded)
  if (what === 'void') sale.isVoid = true
  if (what !== 'disputes') return
  sale.dispute = { amount: amount(sale.captured - sale.refunded), outcome: 'open' }
  contested.set(made, sale)
}

function decide(
  contested: ReadonlyMap<string, Sale>,
  [, id = '', how]: RegExpExecArray,
  { path, body }: Asks,
): void {
  const dispute = contested.get(id)?.dispute
  if (dispute === undefined) throw new Error(`${path} is of nothing that is contested`)
  dispute.outcome = how === 'accept' || body?.['outcome'] === 'lost' ? 'lost' : 'won'
}

/** What was taken and given back of one sale, all told. */
function sell(add: (name: string, amount: bigint) => void, sale: Sale, terms?: Terms): void {
  if (terms === undefined) throw new Error(`${sale.shop} has no terms`)
  const { payer, shop, amount, captured, refunded, isVoid, dispute } = sale
  const { fee, tax, back } = feesOf(terms, captured)
  const isCharged = fee > 0n
  const feeBack = isCharged ? rounded(back * refunded, captured) : 0n
  const taxBack = isCharged ? rounded(tax * back * refunded, captured * fee) : 0n
  add(`wallet ${payer}`, refunded - captured)
  add('fees', fee - feeBack)
  add('tax', tax - taxBack)
  add(`merchant ${shop}`, captured - refunded - fee - tax + feeBack + taxBack)
  if (!isVoid && amount > captured) add(`held ${payer}`, amount - captured)
  if (dispute === undefined || dispute.outcome === 'won') return
  add(`merchant ${shop}`, -dispute.amount)
  add(dispute.outcome === 'open' ? 'suspense' : `wallet ${payer}`, dispute.amount)
}

export interface Wrong {
  readonly what: 'balance'
  readonly where: string
}

/** X6. */
export const judgeBalances = (expected: Balances, actual: Balances): Wrong[] =>
  [...new Set([...expected.keys(), ...actual.keys()])]
    .map((name) => ({ name, should: expected.get(name) ?? 0n, is: actual.get(name) ?? 0n }))
    .filter(({ should, is }) => should !== is)
    .map(({ name, should, is }) => ({ what: 'balance', where: `${name}: ${is}, not ${should}` }))
