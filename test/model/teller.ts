/** Says the units of a story twice, in the same words as ever: to the ledger and to the model. */
import { createHash } from 'node:crypto'
import type { Condition, NewTransfer } from '../../ledger/index.ts'
import { type AccountId, newId, newUnitId, transferIdAt, type UnitId } from '../../ledger/ids.ts'
import type { NewUnit, Transfer } from '../../ledger/units.ts'
import type { Model } from './books.ts'
import { CAST, type UnitWish, type Wish } from './stories.ts'
import type { ModelRow, ModelTransfer, ModelUnit } from './words.ts'

export interface Told {
  readonly unit: NewUnit
  readonly model: ModelUnit
}

/** @param ids the accounts of the cast, by position. */
export function openTeller(ids: readonly AccountId[], start: number) {
  const nobody = newId()
  const idOf = (place: number) => ids[place] ?? nobody
  let holds: UnitId[] = []
  let units: UnitId[] = []
  let now = start
  const named: Names = {
    account: idOf,
    hold: (back) => holds.at(-1 - back) ?? nobody,
    unit: (back) => units.at(-1 - back) ?? nobody,
  }

  return {
    now: () => now,
    /** What was refused is not referred to by later groups; nearly everything else is. */
    refused(id: UnitId): void {
      holds = holds.filter((hold) => hold !== id)
      units = units.filter((unit) => unit !== id)
    },
    pass: (time: number) => void (now += time),
    tell({ wishes, conditions, clock }: UnitWish, model: Pick<Model, 'totals'>): Told {
      const id = newUnitId()
      const at = now + clock
      const evidence = evidenceOf(id)
      const both = wishes.map((wish) => transferOf(wish, at, named))
      if (wishes.some((wish) => wish.wish === 'move' && wish.kind === 'pending')) holds.push(id)
      units.push(id)
      const asked = conditions.map(({ account: place, availableAtLeast, entriesMissed }) => {
        const account = idOf(place)
        const { lastEntry } = model.totals(account)
        const expected = entriesMissed === null ? null : lastEntry + BigInt(entriesMissed)
        return { account, availableAtLeast, lastEntry: expected }
      })
      return {
        unit: {
          ...{ id, at: new Date(at), transfers: both.map(([transfer]) => transfer) },
          ...(evidence !== null && { evidence: Buffer.from(evidence, 'hex') }),
          ...(asked.length > 0 && { conditions: asked.map(conditionOf) }),
        },
        model: {
          ...{ id, at, evidence, transfers: both.map(([, transfer]) => transfer) },
          conditions: asked,
        },
      }
    },
  }
}

/** One unit in two has some: 32 bytes that no other has. */
const evidenceOf = (id: UnitId): string | null => {
  const hash = createHash('sha256').update(id).digest('hex')
  return hash < '8' ? hash : null
}

interface Names {
  readonly account: (place: number) => AccountId
  /** Counted back from the newest. */
  readonly hold: (back: number) => UnitId
  readonly unit: (back: number) => UnitId
}

/** The wish as it is put to the ledger, and to the model. */
function transferOf(wish: Wish, at: number, named: Names): [NewTransfer, ModelTransfer] {
  const effective = wish.happened === null ? null : at + wish.happened
  const reference = newId()
  const product = { code: 'test', reference, ...(effective !== null && atOf(effective)) }
  const model = { code: 'test', reference, effectiveAt: effective }
  if (wish.wish === 'reverse') {
    const original = named.unit(wish.back)
    const kind = 'reversal'
    return [
      { kind, original, ...product },
      { kind, original, ...model },
    ]
  }
  if (wish.wish === 'resolve') {
    const { kind, amount, isFinal } = wish
    const resolved = { kind, hold: named.hold(wish.back), isFinal }
    return [
      { ...resolved, ...(amount !== null && { amount }), ...product },
      { ...resolved, amount, ...model },
    ]
  }
  const { kind, amount, expiry } = wish
  const [payer = 0, payee = 0] = wish.between
  const currency = CAST[payer]?.currency === 'EUR' && !wish.isForeign ? 'EUR' : 'USD'
  const sides = { kind, debit: named.account(payer), credit: named.account(payee) }
  const expiresAt = expiry === null ? null : at + expiry
  return [
    {
      ...{ ...sides, money: { amount, currency }, ...product },
      ...(expiresAt !== null && { expiresAt: new Date(expiresAt) }),
    },
    { ...sides, amount, currency, expiresAt, ...model },
  ]
}

const atOf = (effective: number) => ({ effectiveAt: new Date(effective) })

const conditionOf = (asked: ModelUnit['conditions'][number]): Condition => ({
  account: asked.account,
  ...(asked.availableAtLeast !== null && { availableAtLeast: asked.availableAtLeast }),
  ...(asked.lastEntry !== null && { lastEntry: asked.lastEntry }),
})

/** A row of the ledger in the words of the model; its unit is told by its id. */
export function inModelWords({ money, ...row }: Transfer): ModelRow {
  return {
    ...{ ...row, ...money, unit: transferIdAt(row.id, 0) },
    effectiveAt: row.effectiveAt?.getTime() ?? null,
    bookedAt: row.bookedAt?.getTime() ?? null,
    expiresAt: row.expiresAt?.getTime() ?? null,
    evidence: row.evidence?.toString('hex') ?? null,
  }
}
