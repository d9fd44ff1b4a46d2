/**
 * Whether a bank, our instructions and our books say the same, to the cent. The bank's own journal
 * is the truth: it is written and flushed before the bank says anything, and it is read here by
 * nothing that the product or the bank shares.
 */
import { readFileSync } from 'node:fs'
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { publicId } from '../../services/ids.ts'

/** What a bank did for us, by our reference: cents, positive where our money there grew. */
export interface BankLog {
  readonly moved: ReadonlyMap<string, bigint>
  /** How often it executed each. */
  readonly executions: ReadonlyMap<string, number>
}

const EFFECTS: Readonly<Record<string, bigint>> = {
  ...{ 'debit settled': 1n, 'debit rejected': 0n, 'debit returned': -1n },
  ...{ 'credit settled': -1n, 'credit rejected': 0n, 'credit returned': 1n },
}

export function readBankLog(file: string): BankLog {
  const accepted = new Map<string, { readonly direction: string; readonly amount: bigint }>()
  const [moved, executions] = [new Map<string, bigint>(), new Map<string, number>()]
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text)
    const { kind, reference } = line
    if (kind === 'accepted') {
      accepted.set(reference, { direction: line.direction, amount: BigInt(line.amount) })
    }
    if (kind !== 'executed') continue
    const asked = accepted.get(reference)
    const effect = asked && EFFECTS[`${asked.direction} ${line.outcome}`]
    if (asked === undefined || effect === undefined) throw new Error(`what is this: ${text}`)
    moved.set(reference, (moved.get(reference) ?? 0n) + effect * asked.amount)
    if (line.outcome === 'settled') {
      executions.set(reference, (executions.get(reference) ?? 0) + 1)
    }
  }
  return { moved, executions }
}

export interface Disagreement {
  readonly what: 'paid_twice' | 'refunded_but_paid' | 'settled_never_paid' | 'unknown_to_us' | 'sum'
  readonly where: string
}

interface Row {
  readonly reference: string
  readonly direction: 'debit' | 'credit'
  readonly state: string
  readonly amount: bigint
}

/** What we say of a bank. */
export interface Ours {
  readonly bank: string
  readonly instructions: readonly Row[]
  /** What our books say that we have there. */
  readonly money: bigint
}

/** @returns an instruction that no bank's log explains, or money that no instruction does. */
export function judgeBank(
  { bank, instructions, money }: Ours,
  { moved, executions }: BankLog,
): Disagreement[] {
  const known = new Set(instructions.map(({ reference }) => reference))
  const found = instructions.flatMap((row) => wrongOf(row, moved.get(row.reference) ?? 0n))
  for (const [reference, count] of executions) {
    if (count > 1) found.push({ what: 'paid_twice', where: reference })
    if (!known.has(reference)) found.push({ what: 'unknown_to_us', where: reference })
  }
  const theirs = [...moved.values()].reduce((sum, one) => sum + one, 0n)
  if (money !== theirs) {
    found.push({ what: 'sum', where: `${bank}: ${money} in our books, ${theirs}` })
  }
  return found
}

function wrongOf(row: Row, moved: bigint): Disagreement[] {
  const { reference: where, state, direction, amount } = row
  if (state === 'settled') {
    const expected = direction === 'debit' ? amount : -amount
    return moved === expected ? [] : [{ what: 'settled_never_paid', where }]
  }
  // What is still open is nobody's word yet; what is final and not settled moved nothing.
  const isFinal = state === 'rejected' || state === 'returned'
  return isFinal && moved !== 0n ? [{ what: 'refunded_but_paid', where }] : []
}

export async function readBank(db: Knex, bank: string): Promise<Ours> {
  const instructions: Row[] = await db('instructions').where({ bank })
  const accounts = await db('accounts').where({ owner: `bank:${bank}`, type: 'bank' })
  const money = accounts.reduce((sum, row) => sum + row.debits_posted - row.credits_posted, 0n)
  return { bank, instructions, money }
}

/** By the id of a payment: what its bank moved for it, by the bank's log. */
export async function settledBy(db: Knex, bank: string, { moved }: BankLog) {
  const rows: { readonly subject_id: Uuid; readonly reference: string }[] = await db('instructions')
    .where({ bank })
    .whereIn('purpose', ['payment', 'top_up', 'withdrawal'])
    .select('subject_id', 'reference')
  return rows.map(
    ({ subject_id: id, reference }) => [publicId('pay', id), moved.get(reference) ?? 0n] as const,
  )
}

/** What everybody has by our books, in cents; ours at the banks are held against their logs. */
export async function readBalances(db: Knex): Promise<Map<string, bigint>> {
  const people = await db('people').select('id', 'subject')
  const merchants = await db('aliases').whereNotNull('merchant_id').select('merchant_id', 'alias')
  const names = new Map<string, string>([
    ...people.map(({ id, subject }) => [publicId('per', id), ` ${subject}`] as const),
    ...merchants.map(({ merchant_id: id, alias }) => [publicId('mer', id), ` ${alias}`] as const),
  ])
  const accounts = await db('accounts').whereNot({ type: 'bank' })
  return new Map(
    accounts.map(({ owner, type, credits_posted: credits, debits_posted: debits }) => {
      const whose = owner === 'florin' ? '' : (names.get(owner) ?? ` ${owner}`)
      return [`${type}${whose}`, BigInt(credits) - BigInt(debits)]
    }),
  )
}
