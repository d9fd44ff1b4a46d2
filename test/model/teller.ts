/** Says the units of a story twice, in the same words as ever: to the ledger and to the model. */
import type { Condition, NewTransfer } from '../../ledger/index.ts'
import { type AccountId, newId, newUnitId, type UnitId } from '../../ledger/ids.ts'
import type { NewUnit, Transfer } from '../../ledger/units.ts'
import type { Model, ModelRow, ModelTransfer, ModelUnit } from './books.ts'
import { CAST, type UnitWish, type Wish } from './stories.ts'

export interface Told {
  readonly unit: NewUnit
  readonly model: ModelUnit
}

export type Teller = ReturnType<typeof openTeller>

/** @param ids the accounts of the cast, by position. */
export function openTeller(ids: readonly AccountId[], start: number) {
  const nobody = newId()
  const idOf = (place: number) => ids[place] ?? nobody
  let holds: UnitId[] = []
  let units: UnitId[] = []
  let now = start

  function transferOf(wish: Wish, at: number): [NewTransfer, ModelTransfer] {
    const effective = wish.happened === null ? null : at + wish.happened
    const reference = newId()
    const product = { code: 'test', reference, ...(effective !== null && atOf(effective)) }
    const model = { code: 'test', reference, effectiveAt: effective }
    if (wish.wish === 'reverse') {
      const original = units.at(-1 - wish.back) ?? nobody
      const kind = 'reversal'
      return [
        { kind, original, ...product },
        { kind, original, ...model },
      ]
    }
    if (wish.wish === 'resolve') {
      const { kind, amount, isFinal } = wish
      const named = { kind, hold: holds.at(-1 - wish.back) ?? nobody, isFinal }
      return [
        { ...named, ...(amount !== null && { amount }), ...product },
        { ...named, amount, ...model },
      ]
    }
    const { kind, amount, expiry } = wish
    const [payer = 0, payee = 0] = wish.between
    const currency = CAST[payer]?.currency === 'EUR' && !wish.isForeign ? 'EUR' : 'USD'
    const sides = { kind, debit: idOf(payer), credit: idOf(payee) }
    const expiresAt = expiry === null ? null : at + expiry
    return [
      {
        ...{ ...sides, money: { amount, currency }, ...product },
        ...(expiresAt !== null && { expiresAt: new Date(expiresAt) }),
      },
      { ...sides, amount, currency, expiresAt, ...model },
    ]
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
      const both = wishes.map((wish) => transferOf(wish, at))
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
          ...(asked.length > 0 && { conditions: asked.map(conditionOf) }),
        },
        model: { id, at, transfers: both.map(([, transfer]) => transfer), conditions: asked },
      }
    },
  }
}

const atOf = (effective: number) => ({ effectiveAt: new Date(effective) })

const conditionOf = (asked: ModelUnit['conditions'][number]): Condition => ({
  account: asked.account,
  ...(asked.availableAtLeast !== null && { availableAtLeast: asked.availableAtLeast }),
  ...(asked.lastEntry !== null && { lastEntry: asked.lastEntry }),
})

/** A row of the ledger in the words of the model; its unit is told by its id. */
export function inModelWords({ money, ...row }: Transfer): Omit<ModelRow, 'unit'> {
  return {
    ...{ ...row, ...money },
    effectiveAt: row.effectiveAt?.getTime() ?? null,
    bookedAt: row.bookedAt?.getTime() ?? null,
    expiresAt: row.expiresAt?.getTime() ?? null,
  }
}
