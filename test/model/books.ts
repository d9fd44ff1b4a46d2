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

export function openModel(accounts: ReadonlyMap<string, ModelAccount>): Model {
  let history: readonly Happened[] = []

  const total = (rows: readonly Happened[], matches: (row: Happened) => boolean) =>
    rows.filter(matches).reduce((sum, row) => sum + row.amount, 0n)

  const isOpen = (rows: readonly Happened[], row: Happened) =>
    row.kind === 'pending' && !rows.some((other) => other.resolves === row.id)
  const hasMoved = (row: Happened) => row.kind === 'single' || row.kind === 'post'

  function posted(rows: readonly Happened[], account: string): bigint {
    const debits = total(rows, (row) => hasMoved(row) && row.debit === account)
    const credits = total(rows, (row) => hasMoved(row) && row.credit === account)
    return accounts.get(account)?.growsBy === 'debit' ? debits - credits : credits - debits
  }

  function available(rows: readonly Happened[], account: string): bigint {
    const shrinksBy = accounts.get(account)?.growsBy === 'debit' ? 'credit' : 'debit'
    const held = total(rows, (row) => isOpen(rows, row) && row[shrinksBy] === account)
    return posted(rows, account) - held
  }

  /** What would happen, or why it may not; the order of the questions is part of the contract. */
  function judge(rows: readonly Happened[], id: string, wanted: ModelTransfer): Happened | string {
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

  const volume = (rows: readonly Happened[], side: 'debit' | 'credit', account: string) =>
    total(rows, (row) => (hasMoved(row) || isOpen(rows, row)) && row[side] === account)

  function mayStand(before: readonly Happened[], after: readonly Happened[], row: Happened) {
    const sides = [row.debit, row.credit]
    const tooLarge =
      volume(after, 'debit', row.debit) > LARGEST || volume(after, 'credit', row.credit) > LARGEST
    if (tooLarge) return 'total_too_large'
    const overdrawn = sides.some((account) => {
      const floor = accounts.get(account)?.floor ?? null
      const left = available(after, account)
      return floor !== null && left < floor && left < available(before, account)
    })
    return overdrawn ? 'insufficient_funds' : undefined
  }

  return {
    submit({ ids, transfers }) {
      let draft = history
      for (const [index, wanted] of transfers.entries()) {
        const row = judge(draft, ids[index] ?? '', wanted)
        if (typeof row === 'string') return row
        const refusal = mayStand(draft, [...draft, row], row)
        if (refusal !== undefined) return refusal
        draft = [...draft, row]
      }
      history = draft
      return 'accepted'
    },
    posted: (account) => posted(history, account),
    available: (account) => available(history, account),
    entries: (account) =>
      BigInt(history.filter((row) => row.debit === account || row.credit === account).length),
  }
}
