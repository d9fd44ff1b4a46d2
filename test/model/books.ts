/**
 * The books, thought through a second time and in another way: nothing but a list of what was
 * accepted. A balance is worked out from the whole list whenever it is needed. Slow, and plain
 * enough to be believed; it shares no code with ledger/.
 */

export interface ModelAccount {
  readonly currency: string
  readonly growsBy: 'debit' | 'credit'
  readonly floor: bigint | null
}

export type ModelTransfer =
  | {
      readonly kind: 'single' | 'pending'
      readonly debit: string
      readonly credit: string
      readonly amount: bigint
      readonly currency: string
    }
  | { readonly kind: 'post' | 'void'; readonly pendingId: string }

export interface ModelUnit {
  /** Ids of the unit's transfers, by position. */
  readonly ids: readonly string[]
  readonly transfers: readonly ModelTransfer[]
}

interface Happened {
  readonly id: string
  readonly kind: 'single' | 'pending' | 'post' | 'void'
  readonly debit: string
  readonly credit: string
  readonly amount: bigint
  readonly resolves?: string
}

export interface Model {
  /** 'accepted', or the code of the refusal. */
  readonly submit: (unit: ModelUnit) => string
  readonly posted: (account: string) => bigint
  readonly available: (account: string) => bigint
  /** How many rows touched the account. */
  readonly entries: (account: string) => bigint
}

const LARGEST = 9_223_372_036_854_775_807n

type Accounts = ReadonlyMap<string, ModelAccount>
type History = readonly Happened[]

const total = (rows: History, matches: (row: Happened) => boolean) =>
  rows.filter(matches).reduce((sum, row) => sum + row.amount, 0n)

const isOpen = (rows: History, row: Happened) =>
  row.kind === 'pending' && !rows.some((other) => other.resolves === row.id)

const hasMoved = (row: Happened) => row.kind === 'single' || row.kind === 'post'

function postedIn(accounts: Accounts, rows: History, account: string): bigint {
  const debits = total(rows, (row) => hasMoved(row) && row.debit === account)
  const credits = total(rows, (row) => hasMoved(row) && row.credit === account)
  return accounts.get(account)?.growsBy === 'debit' ? debits - credits : credits - debits
}

function availableIn(accounts: Accounts, rows: History, account: string): bigint {
  const shrinksBy = accounts.get(account)?.growsBy === 'debit' ? 'credit' : 'debit'
  const held = total(rows, (row) => isOpen(rows, row) && row[shrinksBy] === account)
  return postedIn(accounts, rows, account) - held
}

/** What would happen, or why it may not; the order of the questions is part of the contract. */
function judge(
  accounts: Accounts,
  rows: History,
  id: string,
  wanted: ModelTransfer,
): Happened | string {
  if ('pendingId' in wanted) {
    const hold = rows.find((row) => row.id === wanted.pendingId && row.kind === 'pending')
    if (hold === undefined) return 'pending_transfer_not_found'
    if (!isOpen(rows, hold)) return 'pending_transfer_resolved'
    return { ...hold, id, kind: wanted.kind, resolves: hold.id }
  }
  const [debit, credit] = [accounts.get(wanted.debit), accounts.get(wanted.credit)]
  if (debit === undefined) return 'debit_account_not_found'
  if (credit === undefined) return 'credit_account_not_found'
  if (wanted.debit === wanted.credit) return 'same_account'
  if (debit.currency !== wanted.currency || credit.currency !== wanted.currency) {
    return 'currency_mismatch'
  }
  if (wanted.amount <= 0n) return 'amount_not_positive'
  return { id, ...wanted }
}

/** Everything that ever moved or is still held on one side of an account. */
const volume = (rows: History, side: 'debit' | 'credit', account: string) =>
  total(rows, (row) => (hasMoved(row) || isOpen(rows, row)) && row[side] === account)

/** Why the row that was added last may not stand; undefined when it may. */
function objection(accounts: Accounts, before: History, row: Happened): string | undefined {
  const after = [...before, row]
  if (volume(after, 'debit', row.debit) > LARGEST) return 'total_too_large'
  if (volume(after, 'credit', row.credit) > LARGEST) return 'total_too_large'
  const overdrawn = [row.debit, row.credit].some((account) => {
    const floor = accounts.get(account)?.floor ?? null
    const left = availableIn(accounts, after, account)
    return floor !== null && left < floor && left < availableIn(accounts, before, account)
  })
  return overdrawn ? 'insufficient_funds' : undefined
}

export function openModel(accounts: Accounts): Model {
  let history: History = []
  return {
    submit({ ids, transfers }) {
      let draft = history
      for (const [index, wanted] of transfers.entries()) {
        const row = judge(accounts, draft, ids[index] ?? '', wanted)
        if (typeof row === 'string') return row
        const refusal = objection(accounts, draft, row)
        if (refusal !== undefined) return refusal
        draft = [...draft, row]
      }
      history = draft
      return 'accepted'
    },
    posted: (account) => postedIn(accounts, history, account),
    available: (account) => availableIn(accounts, history, account),
    entries: (account) =>
      BigInt(history.filter((row) => row.debit === account || row.credit === account).length),
  }
}
