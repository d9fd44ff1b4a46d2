/** Who moves money: the group commit, plain, and with what else may commit beside the money. */
import {
  type AccountId,
  claimOf,
  type Group,
  newId,
  newUnitId,
  type NewTransfer,
  openGroup,
  type Unit,
} from '../../ledger/index.ts'
import { eventRow } from '../../services/events/events.ts'
import { COMPANIONS } from '../../services/tables.ts'
import type { Database } from './server.ts'

export interface Contender {
  /** How many ask at once. */
  readonly callers: number
  /** Rows of `transfers` that one call adds. */
  readonly transfersPerCall: number
  /** Moves one cent; throws unless it moved. */
  readonly transfer: (caller: number, debit: AccountId, credit: AccountId) => Promise<void>
  readonly close: () => Promise<void>
}

const CALLERS = 1024

const MONEY = { amount: 1n, currency: 'EUR' }
const ACCEPTED = { answer: 'accepted' }
const REFUSED = { answer: 'refused' }

export interface Extras {
  /** A row of the event log for each unit. */
  readonly events?: boolean
  /** A claim of its own for each unit, under which its answer is stored. */
  readonly claims?: boolean
}

/** Acts as the API does. */
export function openOurs(database: Database, extras: Extras = {}): Contender {
  const group = groupIn(database)
  const unitOf = extras.events || extras.claims ? fullUnitOf(extras) : plainUnitOf
  return {
    ...{ callers: CALLERS, transfersPerCall: 1, close: group.close },
    transfer: (_caller, debit, credit) => submit(group, unitOf(debit, credit)),
  }
}

/** Reserves the cent, then posts it: one call is both. */
export function openHolds(database: Database): Contender {
  const group = groupIn(database)
  return {
    ...{ callers: CALLERS, transfersPerCall: 2, close: group.close },
    async transfer(_caller, debit, credit) {
      const hold = unitWith({ kind: 'pending', debit, credit, money: MONEY, ...why() })
      await submit(group, hold)
      await submit(group, unitWith({ kind: 'post', hold: hold.id, ...why() }))
    },
  }
}

const groupIn = ({ urlOf }: Database): Group =>
  openGroup({
    ...{ url: urlOf('florin_api'), role: 'florin_api', applicationName: 'florin bench' },
    ...{ companions: { events: COMPANIONS.events }, refusals: [] },
  })

async function submit(group: Group, unit: Unit): Promise<void> {
  const { answer } = await group.submit(unit)
  if (answer === REFUSED.answer) throw new Error('the books refused a transfer')
}

const why = () => ({ code: 'payment', reference: newId() })

const unitWith = (transfer: NewTransfer): Unit => ({
  id: newUnitId(),
  at: new Date(),
  transfers: [transfer],
  conclude: ({ accepted }) => (accepted ? ACCEPTED : REFUSED),
})

const plainUnitOf = (debit: AccountId, credit: AccountId): Unit =>
  unitWith({ kind: 'single', debit, credit, money: MONEY, ...why() })

/** Answers and events are as long as those of a payment. */
function fullUnitOf({ events = false, claims = false }: Extras) {
  return (debit: AccountId, credit: AccountId): Unit => {
    const unit = plainUnitOf(debit, credit)
    const { id, at } = unit
    const payment = {
      ...{ id, kind: 'payment', state: 'completed', source: 'wallet', created_at: at },
      ...{ payer: { id: debit, name: 'Ada L.' }, payee: { id: credit, name: 'Ben F.' } },
      ...{ amount: { amount: '1', currency: 'EUR' }, note: 'lunch', fee_lines: [] },
    }
    const answer = claims ? JSON.stringify(payment) : ACCEPTED.answer
    const event = { type: 'payment.completed', object: `pay_${id}`, data: payment, at } as const
    const claim = claimOf(`person:${debit}`, 'POST /v1/payments', newId(), `${credit} 1 EUR`)
    return {
      ...unit,
      ...(claims && { claim }),
      conclude: ({ accepted }) => {
        if (!accepted) return REFUSED
        return events ? { answer, rows: { events: [eventRow(event)] } } : { answer }
      },
    }
  }
}
