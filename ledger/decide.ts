/**
 * The rules of money, as one pure function: accounts and units in, verdicts and rows out.
 *
 * Units are decided in order, each against what the ones before it left. A unit is accepted as a
 * whole or refused as a whole, and a refused one changes nothing. Within a unit every single
 * transfer must hold, so no account is ever below its floor, not even between two of its entries.
 */
import {
  type Account,
  availableBalance,
  fallsBelowFloor,
  isTooLarge,
  moved,
  postedBalance,
  type Restrictions,
} from './balances.ts'
import { POSTINGS } from './chart.ts'
import type { LedgerErrorCode } from './errors.ts'
import {
  type AccountId,
  transferIdAt,
  TRANSFERS_PER_UNIT_MAX,
  type UnitId,
  type Uuid,
} from './ids.ts'
import { afterwards, type Origin, originOf, resolve, reverse, type Step } from './origins.ts'
import { afterUse, type Quota, type Use } from './quotas.ts'
import type { Condition, NewTransfer, NewUnit, Transfer } from './units.ts'

/** Everything the units may touch, as it stands under lock. */
export interface Books {
  readonly accounts: ReadonlyMap<AccountId, Account>
  /** The units that resolutions and reversals refer to. */
  readonly origins: ReadonlyMap<UnitId, Origin>
  /** What the units use up. */
  readonly quotas: ReadonlyMap<Uuid, Quota>
}

export type Verdict =
  | { readonly accepted: true; readonly transfers: readonly Transfer[] }
  | { readonly accepted: false; readonly code: LedgerErrorCode }

export interface Decision {
  /** One for each unit, in the units' order. */
  readonly verdicts: readonly Verdict[]
  /** The rows to insert, in the order in which they happened. */
  readonly transfers: readonly Transfer[]
  /** The accounts that changed, as they must be written. */
  readonly accounts: readonly Account[]
  /** The quotas that changed. */
  readonly quotas: readonly Quota[]
}

export function decide(books: Books, units: readonly NewUnit[]): Decision {
  const changed = new Map<AccountId, Account>()
  const origins = new Map(books.origins)
  const quotas = new Map<Uuid, Quota>()
  const isReferredTo = referencesOf(units)
  const transfers: Transfer[] = []
  // One unit's changes at a time, in maps that all of them use: this runs for every payment.
  const accounts = new Map<AccountId, Account>()
  const referred = new Map<UnitId, Origin>()
  const used = new Map<Uuid, Quota>()
  const verdicts = units.map((unit) => {
    const draft: Draft = { books, changed, origins, quotas, accounts, referred, used }
    const verdict = verdictOn(draft, unit)
    if (verdict.accepted) {
      for (const account of accounts.values()) changed.set(account.id, account)
      for (const [id, origin] of referred) origins.set(id, origin)
      for (const [id, quota] of used) quotas.set(id, quota)
      if (isReferredTo.has(unit.id)) origins.set(unit.id, originOf(verdict.transfers))
      for (const transfer of verdict.transfers) transfers.push(transfer)
    }
    accounts.clear()
    referred.clear()
    used.clear()
    return verdict
  })
  return { verdicts, transfers, accounts: [...changed.values()], quotas: [...quotas.values()] }
}

/** The units that others refer to: their holds, and what they reverse. */
export function referencesOf(units: readonly NewUnit[]): ReadonlySet<UnitId> {
  const ids = new Set<UnitId>()
  for (const { transfers } of units) {
    for (const transfer of transfers) {
      const id = referenceOf(transfer)
      if (id !== undefined) ids.add(id)
    }
  }
  return ids
}

function referenceOf(transfer: NewTransfer): UnitId | undefined {
  if ('hold' in transfer) return transfer.hold
  return 'original' in transfer ? transfer.original : undefined
}

/** One unit's changes, kept apart until the whole of it is accepted. */
interface Draft {
  readonly books: Books
  readonly changed: ReadonlyMap<AccountId, Account>
  readonly origins: ReadonlyMap<UnitId, Origin>
  readonly quotas: ReadonlyMap<Uuid, Quota>
  readonly accounts: Map<AccountId, Account>
  readonly referred: Map<UnitId, Origin>
  readonly used: Map<Uuid, Quota>
}

const accountIn = ({ accounts, changed, books }: Draft, id: AccountId): Account | undefined =>
  accounts.get(id) ?? changed.get(id) ?? books.accounts.get(id)

function verdictOn(draft: Draft, unit: NewUnit): Verdict {
  const isMet = unit.conditions?.every((condition) => holdsTrue(draft, condition)) ?? true
  if (!isMet) return { accepted: false, code: 'condition_failed' }
  const exceeded = unit.uses && useUp(draft, unit.uses)
  if (exceeded !== undefined) return { accepted: false, code: exceeded }
  const rows: Transfer[] = []
  for (const transfer of unit.transfers) {
    const refusal = add(draft, unit, transfer, rows)
    if (refusal !== undefined) return { accepted: false, code: refusal }
  }
  return { accepted: true, transfers: rows }
}

function holdsTrue(draft: Draft, { account: id, availableAtLeast, lastEntry }: Condition): boolean {
  const account = accountIn(draft, id)
  return (
    account !== undefined &&
    (availableAtLeast === undefined || availableBalance(account) >= availableAtLeast) &&
    (lastEntry === undefined || account.lastEntry === lastEntry)
  )
}

/** Moves the draft on by what is used up; or says why that is too much. */
function useUp({ books, quotas, used }: Draft, uses: readonly Use[]): Use['code'] | undefined {
  for (const use of uses) {
    const quota = used.get(use.quota) ?? quotas.get(use.quota) ?? books.quotas.get(use.quota)
    if (quota === undefined) throw new Error(`quota ${use.quota} was never opened`)
    const after = afterUse(quota, use)
    if (after === undefined) return use.code
    used.set(use.quota, after)
  }
  return undefined
}

/** Adds the rows that `transfer` becomes, with the draft moved on by them; or says why not. */
function add(
  draft: Draft,
  unit: NewUnit,
  transfer: NewTransfer,
  rows: Transfer[],
): LedgerErrorCode | undefined {
  const first = rows.length
  const steps = stepsOf(draft, transfer, unit.at)
  if (typeof steps === 'string') return steps
  for (const step of steps) {
    if (rows.length === TRANSFERS_PER_UNIT_MAX) return 'unit_too_large'
    const row = apply(draft, unit, transfer, step, rows.length)
    if (typeof row === 'string') return row
    rows.push(row)
  }
  const reference = referenceOf(transfer)
  if (reference !== undefined) {
    const origin = draft.referred.get(reference) ?? draft.origins.get(reference) ?? []
    draft.referred.set(reference, afterwards(origin, rows.slice(first)))
  }
  return undefined
}

function stepsOf(
  { referred, origins }: Draft,
  transfer: NewTransfer,
  at: Date,
): readonly Step[] | LedgerErrorCode {
  if ('hold' in transfer) {
    return resolve(referred.get(transfer.hold) ?? origins.get(transfer.hold), transfer, at)
  }
  if ('original' in transfer) {
    return reverse(referred.get(transfer.original) ?? origins.get(transfer.original))
  }
  const { kind, debit, credit, money } = transfer
  const expiresAt = kind === 'pending' ? (transfer.expiresAt ?? null) : null
  const alone = { pendingId: null, resolution: null, reversesId: null }
  return [{ kind, debit, credit, money, ...alone, expiresAt }]
}

/** The row that `step` becomes, with the draft moved on by it; or why it is refused. */
function apply(
  draft: Draft,
  unit: NewUnit,
  { code, reference, ...transfer }: NewTransfer,
  step: Step,
  index: number,
): Transfer | LedgerErrorCode {
  const effectiveAt = transfer.effectiveAt ?? null
  const before = sidesOf(draft, step)
  if (typeof before === 'string') return before
  if (effectiveAt !== null && effectiveAt > unit.at) return 'effective_in_future'
  const { kind, money } = step
  const debit = moved(before.debit, 'debit', kind, money.amount)
  const credit = moved(before.credit, 'credit', kind, money.amount)
  if (isTooLarge(debit) || isTooLarge(credit)) return 'total_too_large'
  if (fallsBelowFloor(before.debit, debit) || fallsBelowFloor(before.credit, credit)) {
    return 'insufficient_funds'
  }
  draft.accounts.set(debit.id, debit).set(credit.id, credit)
  return {
    id: transferIdAt(unit.id, index),
    kind,
    debit: debit.id,
    credit: credit.id,
    money,
    pendingId: step.pendingId,
    resolution: step.resolution,
    reversesId: step.reversesId,
    code,
    reference,
    effectiveAt,
    bookedAt: bookedAt(debit.restrictions, credit.restrictions, effectiveAt ?? unit.at),
    expiresAt: step.expiresAt,
    evidence: (index === 0 && unit.evidence) || null,
    debitEntry: debit.lastEntry,
    creditEntry: credit.lastEntry,
    debitBalance: postedBalance(debit),
    creditBalance: postedBalance(credit),
  }
}

function sidesOf(draft: Draft, { debit, credit, money, kind, pendingId }: Step) {
  const sides = { debit: accountIn(draft, debit), credit: accountIn(draft, credit) }
  if (sides.debit === undefined) return 'debit_account_not_found'
  if (sides.credit === undefined) return 'credit_account_not_found'
  if (debit === credit) return 'same_account'
  const { currency } = money
  if (sides.debit.currency !== currency || sides.credit.currency !== currency) {
    return 'currency_mismatch'
  }
  if (money.amount <= 0n) return 'amount_not_positive'
  const [from, to] = kind === 'reversal' ? [sides.credit, sides.debit] : [sides.debit, sides.credit]
  if (!POSTINGS[from.type].includes(to.type)) return 'posting_not_allowed'
  const [debits, credits] = [sides.debit.restrictions, sides.credit.restrictions]
  if (debits?.isClosed === true || credits?.isClosed === true) return 'account_closed'
  const isFrozen = debits?.debitsFrozen === true || credits?.creditsFrozen === true
  // A promise that was made before the freeze is kept.
  if (isFrozen && pendingId === null) return 'account_frozen'
  return { debit: sides.debit, credit: sides.credit }
}

/**
 * The first moment of the period that is open on both sides, when `effective` is in a closed one:
 * that is when a late transfer counts, beside its true date.
 */
function bookedAt(
  debit: Restrictions | null,
  credit: Restrictions | null,
  effective: Date,
): Date | null {
  const through = Math.max(
    debit?.closedThrough?.getTime() ?? Number.NEGATIVE_INFINITY,
    credit?.closedThrough?.getTime() ?? Number.NEGATIVE_INFINITY,
  )
  return effective.getTime() <= through ? new Date(through + 1) : null
}
