/** Holds a bank's own statement against our account of our money there. */
import { findAccounts, type Money } from '../../ledger/index.ts'
import { bankOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'

export interface Reconciliation {
  readonly currency: string
  /** Minor units: the sum of the bank's lines, and the posted balance of our `bank` account. */
  readonly statement: bigint
  readonly books: bigint
  /** References the bank booked that we have no settled or returned instruction for. */
  readonly unknownToUs: readonly string[]
  /** References we believe settled that the bank did not book at this amount. */
  readonly unknownToBank: readonly string[]
}

/** @throws {BankError} when the statement cannot be had. */
export async function reconcile(context: Context, bankName: string): Promise<Reconciliation[]> {
  const bank = context.banks.get(bankName)
  if (bank === undefined) throw new ServiceError('not_found')
  const booked = await statementOf(bank.fetchStatement())
  const ours = await believed(context, bankName)
  const accounts = await findAccounts(context.db, { owner: bankOwner(bankName), type: 'bank' })
  const currencies = new Set([...booked.keys(), ...accounts.map((account) => account.currency)])
  return [...currencies].sort().map((currency) => {
    const theirs = booked.get(currency) ?? new Map<string, bigint>()
    const mine = ours.get(currency) ?? new Map<string, bigint>()
    const account = accounts.find((one) => one.currency === currency)
    return {
      currency,
      statement: sum(theirs.values()),
      books: account?.posted ?? 0n,
      unknownToUs: differing(theirs, mine),
      unknownToBank: differing(mine, theirs),
    }
  })
}

/** Signed amounts by reference, by currency. */
type Booked = Map<Money['currency'], Map<string, bigint>>

function add(booked: Booked, currency: string, reference: string, amount: bigint): void {
  const lines = booked.get(currency) ?? new Map<string, bigint>()
  booked.set(currency, lines.set(reference, (lines.get(reference) ?? 0n) + amount))
}

async function statementOf(
  lines: AsyncIterable<{ reference: string; currency: string; amount: bigint }>,
): Promise<Booked> {
  const booked: Booked = new Map()
  for await (const { reference, currency, amount } of lines)
    add(booked, currency, reference, amount)
  return booked
}

/** What our instructions say the bank must have booked: a returned one comes to nothing. */
async function believed({ db }: Context, bank: string): Promise<Booked> {
  const booked: Booked = new Map()
  const rows = await db('instructions')
    .where({ bank })
    .whereIn('state', ['settled', 'returned'])
    .select('reference', 'currency', 'amount', 'direction', 'state')
  for (const { reference, currency, amount, direction, state } of rows) {
    const signed = direction === 'debit' ? amount : -amount
    add(booked, currency, reference, state === 'returned' ? 0n : signed)
  }
  return booked
}

const sum = (amounts: Iterable<bigint>) => [...amounts].reduce((total, one) => total + one, 0n)

/** References of `lines` whose amount is not the other side's. */
const differing = (lines: ReadonlyMap<string, bigint>, others: ReadonlyMap<string, bigint>) =>
  [...lines]
    .filter(([reference, amount]) => amount !== (others.get(reference) ?? 0n))
    .map(([r]) => r)
