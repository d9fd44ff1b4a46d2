/**
 * Closing a window: its last seal is fixed and the next one begins there, in one small transaction;
 * then what is in it is added up, from rows that never change. Payments go on meanwhile, because
 * nothing is locked that they lock. Whoever is killed in between leaves a window that is `closing`,
 * and the next worker adds it up from the beginning.
 */
import type { Knex } from 'knex'
import {
  type AccountBalances,
  findAccounts,
  lastSeal,
  newId,
  sumFlows,
  type Uuid,
} from '../../ledger/index.ts'
import { bankOfOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Flows, obligations, type Position, positionsOf } from './obligations.ts'
import { findWindow, type NettingWindow, newWindow, WINDOW_STATES } from './windows.ts'

/**
 * Ends the window with the newest seal: what is sealed later is in the next window, also where it
 * happened before. A window that is not open any more is left as it is.
 * @param by an operator; null where its time is up.
 */
export async function beginClosing(
  { config, now }: Context,
  trx: Knex.Transaction,
  id: Uuid,
  by: string | null,
): Promise<NettingWindow> {
  const window = await findWindow(trx, id, 'lock')
  if (window === undefined) throw new ServiceError('not_found')
  if (window.state !== 'open') return window
  const { currency, number } = window
  // The newest one that is seen once the row is locked, so it is not before the window's first.
  const from_seal = await lastSeal(trx)
  const at = now()
  const state = WINDOW_STATES.open.close
  const closing = { state, to_seal: from_seal.toString(), closing_at: at, closed_by: by }
  await trx('netting_windows').where({ id }).update(closing)
  const method = config.NETTING_METHOD
  await trx('netting_windows').insert(
    newWindow({ currency, number: number + 1, from_seal, method, at }),
  )
  return { ...window, state, to_seal: from_seal, closing_at: at }
}

/** Renewed with every part that is added up, which takes seconds; then somebody else begins. */
const LEASE_MS = 60_000

/** Adds up the window if it is closing and nobody is at it. */
export async function addUp(context: Context, id: Uuid): Promise<void> {
  const { db, now } = context
  const at = now()
  const lease = () => ({ leased_until: new Date(now().getTime() + LEASE_MS) })
  const [window]: NettingWindow[] = await db('netting_windows')
    .where({ id, state: 'closing' })
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', at))
    .update(lease())
    .returning('*')
  if (window === undefined) return
  try {
    const { flows, transfers } = await flowsOf(db, window, async () => {
      await db('netting_windows').where({ id }).update(lease())
    })
    await db.transaction((trx) => write(context, trx, window, { flows, transfers }))
  } finally {
    await db('netting_windows').where({ id }).update({ leased_until: null })
  }
}

/** Our accounts at banks in the currency, with the banks' names. */
export async function accountsAtBanks(db: Knex, currency: string) {
  const found: { readonly bank: string; readonly id: AccountBalances['id'] }[] = []
  let after: AccountBalances['id'] | undefined
  for (;;) {
    const page = await findAccounts(db, { type: 'bank', currency }, { after })
    after = page.at(-1)?.id
    if (after === undefined) return found
    for (const { id, owner } of page) {
      const bank = bankOfOwner(owner)
      if (bank !== undefined) found.push({ bank, id })
    }
  }
}

async function flowsOf(
  db: Knex,
  { currency, from_seal, to_seal }: NettingWindow,
  after: () => Promise<void>,
) {
  const accounts = await accountsAtBanks(db, currency)
  const banks = new Map(accounts.map(({ id, bank }) => [id, bank]))
  const range = { after: from_seal, through: to_seal ?? from_seal }
  const { flows, transfers } = await sumFlows(db, [...banks.keys()], range, after)
  const named = flows.map(({ account, debits: received, credits: paid }) => ({
    ...{ bank: banks.get(account) ?? '', received, paid },
  }))
  return { flows: named, transfers }
}

interface AddedUp {
  readonly flows: readonly Omit<Flows, 'carried'>[]
  readonly transfers: bigint
}

async function write(
  { now }: Context,
  trx: Knex.Transaction,
  window: NettingWindow,
  { flows, transfers }: AddedUp,
): Promise<void> {
  const { id, method } = window
  const at = now()
  // Somebody else may have added it up meanwhile, and come to the same.
  if ((await findWindow(trx, id, 'lock'))?.state !== 'closing') return
  const positions = positionsOf(withCarried(flows, await carryInto(trx, window)))
  const retained = positions.reduce((all, { kept }) => all + kept, 0n)
  const state = WINDOW_STATES.closing.added_up
  await trx('netting_windows')
    .where({ id })
    .update({ ...textOf({ transfers, retained }), state, closed_at: at })
  if (positions.length === 0) return
  await trx('netting_positions').insert(positions.map((one) => positionRow(id, one)))
  const owed = obligations(positions, method)
  if (owed.length === 0) return
  await trx('netting_obligations').insert(
    owed.map(({ from, to, amount }) => ({
      ...{ id: newId(), window_id: id, from_bank: from, to_bank: to, state: 'due' },
      ...{ amount: amount.toString(), currency: window.currency, created_at: at, changed_at: at },
    })),
  )
}

interface Carried {
  readonly from_bank: string
  readonly to_bank: string
  readonly amount: bigint
}

/** Takes over what failed in windows before, each payment once. */
const carryInto = (trx: Knex.Transaction, { id, currency }: NettingWindow): Promise<Carried[]> =>
  trx('netting_obligations')
    .where({ currency, state: 'carried', carried_into: null })
    .update({ carried_into: id })
    .returning(['from_bank', 'to_bank', 'amount'])

function withCarried(flows: AddedUp['flows'], carried: readonly Carried[]): readonly Flows[] {
  const banks = new Map(flows.map((one) => [one.bank, { ...one, carried: 0n }]))
  const add = (bank: string, amount: bigint) => {
    const known = banks.get(bank) ?? { bank, received: 0n, paid: 0n, carried: 0n }
    banks.set(bank, { ...known, carried: known.carried + amount })
  }
  for (const { from_bank, to_bank, amount } of carried) {
    add(from_bank, amount)
    add(to_bank, -amount)
  }
  return [...banks.values()]
}

const positionRow = (window_id: Uuid, { bank, ...amounts }: Position) => ({
  ...{ window_id, bank },
  ...textOf(amounts),
})

const textOf = (amounts: Readonly<Record<string, bigint>>) =>
  Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount.toString()]))
