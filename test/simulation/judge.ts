/** Whether the bank's log, the instructions and the books are of one mind, to the cent. */
import { audit } from '../../ledger/index.ts'
import { auditBusiness } from '../../services/audit/audit.ts'
import { bankAccountsOf } from '../../services/books/chart.ts'
import type { Context } from '../../services/context.ts'
import type { SimulatedBank } from './bank.ts'
import { BANK, CURRENCY } from './house.ts'

/** How often the bank must have moved the money, in the end. */
const PAID: Readonly<Record<string, number>> = { settled: 1, rejected: 0, returned: 0 }
const LOSS: Readonly<Record<string, string>> = {
  settled: 'settled but never paid',
  rejected: 'refunded but paid',
  returned: 'returned but paid',
}

interface Row {
  readonly reference: string
  readonly state: string
  readonly reason: string | null
  readonly direction: string
  readonly amount: bigint
}

export async function balanceAtBank(context: Context): Promise<bigint> {
  const { bank: id } = await bankAccountsOf(context, BANK, CURRENCY)
  const row = await context.db('accounts').where({ id }).first()
  return BigInt(row.debits_posted) - BigInt(row.credits_posted)
}

export async function judge(
  context: Context,
  bank: SimulatedBank,
  references: readonly string[],
  before: bigint,
) {
  const rows: Row[] = await context.db('instructions').whereIn('reference', references)
  const violations: string[] = []
  const states: Record<string, number> = {}
  /** What waits for a person: with the bank, and not in our books. */
  let waiting = 0n
  for (const { reference, state, reason, direction, amount } of rows) {
    states[state] = (states[state] ?? 0) + 1
    const paid = bank.paid.get(reference) ?? 0
    const expected = PAID[state]
    if (paid > 1) violations.push(`${reference}: paid ${paid} times`)
    else if (expected !== undefined && paid !== expected) {
      violations.push(`${reference}: ${LOSS[state]}`)
    }
    if (expected === undefined) {
      waiting += BigInt(paid) * (direction === 'debit' ? 1n : -1n) * amount
      if (state !== 'manual' || reason === null) violations.push(`${reference}: still ${state}`)
    }
  }
  const others = [...bank.held.keys()].filter((one) => !references.includes(one))
  violations.push(...others.map((one) => `${one}: unknown to us`))
  const ours = (await balanceAtBank(context)) - before + waiting
  if (ours !== bank.balance()) violations.push(`the bank has ${bank.balance()}, our books ${ours}`)
  const found = [
    ...(await audit(context.db)).violations,
    ...(await auditBusiness(context.db, { isDrained: true })),
  ]
  violations.push(...found.map((one) => JSON.stringify(one)))
  return { violations, states }
}
