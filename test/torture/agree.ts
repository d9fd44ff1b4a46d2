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
  /** What it sent back after it had settled; `moved` has that already. */
  readonly returned: ReadonlyMap<string, bigint>
  /** What came in without our asking. */
  readonly received: readonly Received[]
  /** How often, by what was asked and what came of it. */
  readonly outcomes: Readonly<Record<string, number>>
}

export interface Received {
  readonly reference: string
  readonly amount: bigint
  readonly remittance: string
}

const EFFECTS: Readonly<Record<string, bigint>> = {
  ...{ 'debit settled': 1n, 'debit rejected': 0n, 'debit returned': -1n },
  ...{ 'credit settled': -1n, 'credit rejected': 0n, 'credit returned': 1n },
}

export function readBankLog(file: string): BankLog {
  const accepted = new Map<string, { readonly direction: string; readonly amount: bigint }>()
  const [moved, executions] = [new Map<string, bigint>(), new Map<string, number>()]
  const received: Received[] = []
  const [returned, outcomes] = [new Map<string, bigint>(), {} as Record<string, number>]
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text)
    const { kind, reference } = line
    if (kind === 'accepted') {
      accepted.set(reference, { direction: line.direction, amount: BigInt(line.amount) })
    }
    if (kind === 'received') received.push({ ...line, amount: BigInt(line.amount) })
    if (kind !== 'executed') continue
    const asked = accepted.get(reference)
    const name = `${asked?.direction} ${line.outcome}`
    const effect = EFFECTS[name]
    if (asked === undefined || effect === undefined) throw new Error(`what is this: ${text}`)
    outcomes[name] = (outcomes[name] ?? 0) + 1
    moved.set(reference, (moved.get(reference) ?? 0n) + effect * asked.amount)
    if (line.outcome === 'returned') returned.set(reference, effect * asked.amount)
    if (line.outcome === 'settled') {
      executions.set(reference, (executions.get(reference) ?? 0) + 1)
    }
  }
  return { moved, executions, returned, received, outcomes }
}

export interface Disagreement {
  readonly what:
    | 'paid_twice'
    | 'refunded_but_paid'
    | 'settled_never_paid'
    | 'unknown_to_us'
    | 'incoming_lost'
    | 'incoming_invented'
    | 'sum'
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
  /** What we know of money that came without our asking, by the bank's reference. */
  readonly incoming: readonly Pick<Received, 'reference' | 'amount'>[]
}

/** @returns an instruction that no bank's log explains, or money that no instruction does. */
export function judgeBank(
  { bank, instructions, money, incoming }: Ours,
  { moved, executions, received }: BankLog,
): Disagreement[] {
  const known = new Set(instructions.map(({ reference }) => reference))
  const found = instructions.flatMap((row) => wrongOf(row, moved.get(row.reference) ?? 0n))
  for (const [reference, count] of executions) {
    if (count > 1) found.push({ what: 'paid_twice', where: reference })
    if (!known.has(reference)) found.push({ what: 'unknown_to_us', where: reference })
  }
  found.push(...wrongIncoming(incoming, received))
  const came = received.reduce((sum, { amount }) => sum + amount, 0n)
  const theirs = [...moved.values()].reduce((sum, one) => sum + one, 0n) + came
  if (money !== theirs) {
    found.push({ what: 'sum', where: `${bank}: ${money} in our books, ${theirs}` })
  }
  return found
}

/** Once for each: the bank tells until it is heard, and more than once where links double it. */
function wrongIncoming(incoming: Ours['incoming'], received: BankLog['received']): Disagreement[] {
  const [ours, theirs] = [incoming, received].map(
    (all) => new Set(all.map(({ reference, amount }) => `${reference}: ${amount}`)),
  )
  const lost = [...(theirs ?? [])].filter((one) => ours?.has(one) !== true)
  const invented = [...(ours ?? [])].filter((one) => theirs?.has(one) !== true)
  const twice = incoming.length - (ours?.size ?? 0)
  return [
    ...lost.map((where) => ({ what: 'incoming_lost' as const, where })),
    ...invented.map((where) => ({ what: 'incoming_invented' as const, where })),
    ...(twice > 0 ? [{ what: 'incoming_invented' as const, where: `${twice} twice` }] : []),
  ]
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
  const incoming = await db('incoming_money').where({ bank }).select('reference', 'amount')
  return { bank, instructions, money, incoming }
}

interface Subject {
  readonly reference: string
  readonly purpose: 'payment' | 'top_up' | 'withdrawal' | 'settlement'
  readonly subject_id: Uuid
}

/** By the id of a payment or a settlement: what its bank moved for it, by the bank's log. */
export async function settledBy(db: Knex, bank: string, { moved }: BankLog) {
  const rows: Subject[] = await db('instructions').where({ bank })
  return rows.map(({ purpose, subject_id, reference }) => {
    const kind = purpose === 'settlement' ? 'set' : 'pay'
    return [publicId(kind, subject_id), moved.get(reference) ?? 0n] as const
  })
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
  const balances = new Map<string, bigint>()
  const add = (name: string, amount: bigint) =>
    balances.set(name, (balances.get(name) ?? 0n) + amount)
  for (const { owner, type, debits_pending: held, ...row } of accounts) {
    // Where it came in is not what is asked of money that nobody has yet.
    const isOurs = owner === 'florin' || type === 'suspense'
    const whose = isOurs ? '' : (names.get(owner) ?? ` ${owner}`)
    add(`${type}${whose}`, BigInt(row.credits_posted) - BigInt(row.debits_posted))
    if (type === 'wallet') add(`held${whose}`, BigInt(held))
  }
  return balances
}
