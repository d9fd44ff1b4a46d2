/** Many units at once, by operators: corrections, migrations, pay-outs by hand. */
import {
  type Bulk,
  type BulkResult,
  type Claim,
  type Condition,
  newUnitId,
  type NewTransfer,
  type Outcome,
  transferIdAt,
  type Unit,
  type UnitId,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { areSpokenFor } from './purposes.ts'

export interface BulkUnit {
  /** The operator's own, by which the unit is recognised in this bulk and in any other. */
  readonly key: string
  readonly claim: Claim
  /** For whom it is done is the unit itself; there is no other reference. */
  readonly transfers: readonly Unreferenced[]
  readonly conditions: readonly Condition[]
  readonly reason: string
}

type WithoutReference<T> = T extends unknown ? Omit<T, 'reference'> : never
type Unreferenced = WithoutReference<NewTransfer>

export interface NewBulk {
  /** All units or none; or each for itself, in order. */
  readonly mode: 'atomic' | 'each'
  readonly units: readonly BulkUnit[]
  readonly claim: Claim
  readonly operator: string
  /** The other operator, who agreed. */
  readonly approvedBy: string | undefined
}

/**
 * Submits the units in one transaction; the answer has one result for each, in their order.
 * @throws {ServiceError} `unit_spoken_for` when one of them would post, void or reverse what
 *   belongs to a payment, a settlement, an instruction or an exchange.
 */
export async function postBulk(context: Context, asked: NewBulk): Promise<Outcome> {
  await refuseSpokenFor(
    context,
    asked.units.map(({ transfers }) => transfers),
  )
  const at = context.now()
  const units = asked.units.map((unit) => unitOf(unit, asked, at))
  const bulk: Bulk = {
    ...{ units, isAtomic: asked.mode === 'atomic', claim: asked.claim },
    conclude: (results) => {
      const shown = results.map((result, n) => resultOut(asked.units[n]?.key ?? '', result))
      const isUndone = results.some(({ state }) => state === 'undone')
      const state = isUndone || isRefusedWhole(asked, results) ? 'undone' : 'done'
      return { answer: JSON.stringify({ mode: asked.mode, state, results: shown }) }
    },
  }
  return context.group.submitBulk(bulk)
}

/** @throws {ServiceError} `unit_spoken_for`, as `postBulk` would. */
export async function refuseSpokenFor(
  { db }: Context,
  units: readonly BulkUnit['transfers'][],
): Promise<void> {
  if (await areSpokenFor(db, referencesOf(units))) throw new ServiceError('unit_spoken_for')
}

/** The holds and the units to reverse: a payment's own calls move its state with its money. */
const referencesOf = (units: readonly BulkUnit['transfers'][]): UnitId[] =>
  units.flat().flatMap((transfer) => {
    if ('hold' in transfer) return [transfer.hold]
    return 'original' in transfer ? [transfer.original] : []
  })

const isRefusedWhole = ({ mode }: NewBulk, results: readonly BulkResult[]) =>
  mode === 'atomic' && results.some(({ state }) => state === 'refused')

function unitOf(
  { transfers, conditions, reason, claim }: BulkUnit,
  { operator, approvedBy }: NewBulk,
  at: Date,
) {
  const id = newUnitId()
  const unit = publicId('trf', id)
  return {
    ...{ id, at, conditions, claim },
    transfers: transfers.map((transfer) => ({ ...transfer, reference: id })),
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const ids = verdict.transfers.map((_, n) => publicId('trf', transferIdAt(id, n)))
      const data = { unit, transfers: ids, operator, approved_by: approvedBy, reason }
      const events = [eventRow({ type: 'ledger.posted', object: unit, data, at })]
      return { rows: { events }, answer: JSON.stringify({ unit, transfers: ids }) }
    },
  } satisfies Unit
}

/** What a unit came to, as its claim keeps it. */
type StoredUnit = { readonly refused: string } | { readonly unit: string; transfers: string[] }

function resultOut(key: string, result: BulkResult) {
  if (result.state === 'undone') return { key, state: result.state }
  const replayed = result.state === 'replayed'
  const stored: StoredUnit =
    result.state === 'refused' ? { refused: result.code } : JSON.parse(result.answer)
  return 'refused' in stored
    ? { key, state: 'refused', replayed, code: stored.refused }
    : { key, state: 'accepted', replayed, ...stored }
}
