/**
 * How two operators put right what a statement and our books disagree about: by one transfer of the
 * difference, or by saying that two things are the same. An item is resolved once.
 */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  createTransfers,
  newUnitId,
  type Outcome,
  type UnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { answerOf } from '../answers.ts'
import { isOpen as isOpenInstruction } from '../banking/machine.ts'
import { bankAccountsOf, lossAccount } from '../books/chart.ts'
import { type Difference, reconciled } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { findItem, type Item, itemOut } from './items.ts'
import type { ItemKind } from './runs.ts'
import { lockBank } from './session.ts'

/**
 * Which difference of the books an item of each kind is, by whether our money at the bank is more
 * than the books say. Null: time will tell, or there is nothing to correct.
 */
const DIFFERENCES = {
  matched: null,
  late: null,
  unmatched_in_statement: { more: 'unknown_incoming', less: 'bank_charge' },
  unmatched_in_books: { more: 'never_left', less: 'never_came' },
  amount_differs: { more: 'came_more', less: 'came_less' },
  duplicate: { more: 'came_twice', less: 'left_twice' },
} as const satisfies Record<ItemKind, Readonly<Record<'more' | 'less', Difference>> | null>

/** The same of a line of an instruction that came to its end without it. */
const AFTER_ALL = { more: 'came_after_all', less: 'left_after_all' } as const

export interface Proposal {
  readonly difference: Difference
  /** Minor units, positive. */
  readonly amount: bigint
}

/** What would correct the item; undefined where nothing of ours may. */
export function proposalOf(item: Item): Proposal | undefined {
  const differences = DIFFERENCES[item.kind]
  const apart = (item.statement_amount ?? 0n) - (item.books_amount ?? 0n)
  if (differences === null || apart === 0n) return undefined
  const isAlone = item.instruction_id !== null && item.transfer_id === null
  const isRepeated = item.kind === 'duplicate'
  if (isAlone && !isRepeated && mayYetMove(item)) return undefined
  const { more, less } = isAlone && !isRepeated ? AFTER_ALL : differences
  return { difference: apart > 0n ? more : less, amount: apart < 0n ? -apart : apart }
}

/**
 * Whoever resolves an open instruction moves the money. What one moved that has ended is only known
 * to be all once our books were read after its end.
 */
const mayYetMove = ({ instruction_state: state, books_read: isRead }: Item) =>
  state === null || isOpenInstruction(state) || !isRead

export interface Resolution {
  readonly how: 'correct' | 'match'
  readonly reason: string
  readonly operator: string
  readonly approvedBy: string | undefined
}

const isOpen = ({ state }: Item) => state === 'open' || state === 'proposed'

/** @throws {ServiceError} when it could not be resolved so. */
export async function checkResolution(
  { db }: Context,
  id: Uuid,
  how: Resolution['how'],
): Promise<Item> {
  const item = await findItem(db, id)
  if (item === undefined) throw new ServiceError('not_found')
  refuse(item, how)
  return item
}

function refuse(item: Item, how: Resolution['how']): void {
  if (!isOpen(item)) throw new ServiceError('item_resolved')
  const isPossible = how === 'match' ? item.proposed_transfer_id !== null : proposalOf(item)
  if (!isPossible) throw new ServiceError('item_not_correctable')
}

export async function resolveItem(
  context: Context,
  id: Uuid,
  resolution: Resolution,
  claim: Claim,
): Promise<Outcome> {
  const { bank, currency } = await checkResolution(context, id, resolution.how)
  const accounts = {
    ...(await bankAccountsOf(context, bank, currency)),
    loss: await lossAccount(context, currency),
  }
  return answerOnce(context.db, claim, async (trx) => {
    // Nobody reconciles the bank meanwhile, so what the item is does not change.
    await lockBank(trx, bank)
    const item = await findItem(trx, id, 'lock')
    if (item === undefined) throw new ServiceError('not_found')
    refuse(item, resolution.how)
    return answerOf(async () => {
      const change =
        resolution.how === 'match'
          ? await matched(trx, item)
          : await corrected(context, trx, item, accounts)
      return itemOut(await resolved(trx, id, change, resolution, context.now()))
    })
  })
}

type Accounts = Parameters<typeof reconciled>[2]

async function corrected(context: Context, trx: Knex.Transaction, item: Item, accounts: Accounts) {
  const { difference, amount } = proposalOf(item) ?? refuseItem()
  const unit: UnitId = newUnitId()
  const occasion = { reference: item.id }
  const money = { amount, currency: item.currency }
  const transfers = [reconciled(occasion, difference, accounts, money)]
  await createTransfers(trx, { id: unit, at: context.now(), transfers })
  return { state: 'corrected', correction_id: unit, proposed_transfer_id: null }
}

function refuseItem(): never {
  throw new ServiceError('item_not_correctable')
}

/** The line and the transfer that were proposed are one: the transfer's own item is its line's. */
async function matched(trx: Knex.Transaction, { proposed_transfer_id: transfer }: Item) {
  const other = await trx('reconciliation_items')
    .where({ transfer_id: transfer })
    .whereIn('state', ['open', 'proposed'])
    .forUpdate()
    .first('id', 'books_amount', 'effective_at')
  if (other === undefined) throw new ServiceError('item_resolved')
  await trx('reconciliation_items').where({ id: other.id }).update({ state: 'merged' })
  const { books_amount, effective_at } = other
  return {
    ...{ state: 'confirmed', kind: 'matched', transfer_id: transfer, proposed_transfer_id: null },
    ...{ books_amount: books_amount.toString(), effective_at },
  }
}

async function resolved(
  trx: Knex.Transaction,
  id: Uuid,
  change: Readonly<Record<string, unknown>>,
  { operator, approvedBy, reason }: Resolution,
  at: Date,
): Promise<Item> {
  const [row] = await trx('reconciliation_items')
    .where({ id })
    .update({
      ...change,
      ...{ resolved_by: operator, approved_by: approvedBy ?? null, reason, resolved_at: at },
    })
    .returning('*')
  return row
}
