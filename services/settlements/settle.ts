/**
 * Makes a merchant's next batch. What it says is read without a lock from entries that never
 * change; the unit that pays it out locks the account, and Postgres proves that the batch goes on
 * where the one before ended and meets the balance.
 */
import {
  type AccountId,
  accountsOfOwners,
  type Claim,
  type CompanionRow,
  type Conclusion,
  type Currency,
  newId,
  newUnitId,
  type Outcome,
  type RangeSums,
  type Refusal,
  sumRanges,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import type { BankAccount } from '../banking/bank_accounts.ts'
import { prepareInstruction } from '../banking/prepare.ts'
import { chooseForMost } from '../banks/choose.ts'
import { merchantOwner } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow } from '../events/events.ts'
import { refuseInactive } from '../merchants/standing.ts'
import { withReserved } from '../reserves/reserve.ts'
import { type Settlement, settlementOut, type Stand, standsOf, toRow } from './batch.ts'
import { payoutAccount } from './payout_accounts.ts'
import { summed } from './sums.ts'

export interface SettlementRequest {
  readonly currency: Currency
  /** Where to; where the merchant is paid out anyway if it is left out. */
  readonly bankAccount: Uuid | undefined
}

/**
 * Settles everything that is not settled yet, net, by one payout. Two settlements at once are safe:
 * they would be the same number of the account, so one of them is refused.
 * @throws {ServiceError} `merchant_not_active`, and it keeps its money until it is; what
 *   `makeBatch` throws.
 */
export async function settle(
  context: Context,
  merchant: Uuid,
  { currency, bankAccount }: SettlementRequest,
  claim: Claim,
): Promise<Outcome> {
  await refuseInactive(context.db, merchant)
  const account = await payoutAccount(context.db, merchant, bankAccount)
  const wish = { merchant, currency }
  const [draft] = await withReserved(context, wish, (db) => draftBatches({ db }, [wish]))
  if (draft === undefined) throw new ServiceError('nothing_to_settle')
  const batch = batchOf(draft, { minimum: 1n, cutOff: null, bankAccount: account.id }, context)
  if (batch.payout === 0n) throw new ServiceError('nothing_to_settle')
  const { outcome, instruction } = await makeBatch(context, batch, account, { claim })
  if (instruction !== undefined) await context.queue.ring('instruction', [instruction])
  return outcome
}

export interface Wish {
  readonly merchant: Uuid
  readonly currency: Currency
  /** What was recorded before; left out, everything there is. */
  readonly until?: Date | undefined
}

/** Where the account's batches end, and what has moved it since. */
export interface Draft {
  readonly merchant: Uuid
  readonly stand: Stand
  readonly range: RangeSums
}

/**
 * What the next batches of these would cover; many at the price of one. Who has no account yet has
 * nothing to settle, and is left out.
 */
export async function draftBatches(
  { db }: Pick<Context, 'db'>,
  wishes: readonly Wish[],
): Promise<Draft[]> {
  const ofOwner = new Map(wishes.map((wish) => [keyOf(merchantOwner(wish.merchant), wish), wish]))
  const owners = wishes.map(({ merchant }) => merchantOwner(merchant))
  const accounts = new Map<AccountId, Wish>()
  for (const account of await accountsOfOwners(db, 'merchant', owners)) {
    const wish = ofOwner.get(keyOf(account.owner, account))
    if (wish !== undefined) accounts.set(account.id, wish)
  }
  const stands = await standsOf(db, [...accounts.keys()])
  const wanted = [...accounts].map(([account, { until }]) => {
    return { account, until, beyond: stands.get(account)?.toEntry ?? 0n }
  })
  const ranges = await sumRanges(db, wanted)
  return ranges.flatMap((range) => {
    const [wish, stand] = [accounts.get(range.account), stands.get(range.account)]
    return wish === undefined || stand === undefined
      ? []
      : [{ merchant: wish.merchant, range, stand }]
  })
}

const keyOf = (owner: string, { currency }: { readonly currency: Currency }) =>
  `${owner} ${currency}`

interface Terms {
  /** Less than this is carried over. */
  readonly minimum: bigint
  readonly cutOff: Date | null
  /** Where to; without one, all is carried over. */
  readonly bankAccount: Uuid | null
}

/** The payouts that left within the range: they are no lines. */
const goneIn = ({ stand, range }: Omit<Draft, 'merchant'>) =>
  stand.payouts.filter(({ entry }) => entry <= range.last)

/** Whether there would be a line in the batch. */
export const hasLines = ({ stand, range }: Draft): boolean =>
  range.sums.reduce((sum, { count }) => sum + count, 0) > goneIn({ stand, range }).length

/** The batch as it will be, but for the entry by which its payout leaves. Pure but for its ids. */
export function batchOf(
  { merchant, stand, range }: Draft,
  { minimum, cutOff, bankAccount }: Terms,
  { now }: Pick<Context, 'now'>,
): Settlement {
  const gone = goneIn({ stand, range })
  const sums = summed(
    range.sums,
    gone.reduce((sum, { amount }) => sum + amount, 0n),
  )
  const total = stand.carriedOut + sums.net
  const payable = total < range.available ? total : range.available
  const isPaid = payable > 0n && payable >= minimum && bankAccount !== null
  const payout = isPaid ? payable : 0n
  const at = now()
  return {
    ...{ id: newId(), merchant, account: range.account, currency: range.currency },
    ...{ number: stand.number + 1, fromEntry: stand.toEntry, toEntry: range.last, cutOff },
    ...sums,
    ...{ carriedIn: stand.carriedOut, total, payout, carriedOut: total - payout },
    ...{ payoutEntry: null, transfer: isPaid ? newUnitId() : null },
    ...{ bankAccount: isPaid ? bankAccount : null, state: isPaid ? 'processing' : 'carried' },
    failure: payable > 0n && bankAccount === null ? 'bank_account_not_found' : null,
    ...{ createdAt: at, changedAt: at },
  }
}

interface Made {
  readonly outcome: Outcome
  /** What a bank is to be told of, where there is something new. */
  readonly instruction?: Uuid
}

/** The same batch where none of it can be paid out, and why. */
export const unpaid = (batch: Settlement, failure: string): Settlement => ({
  ...{ ...batch, ...withPayout(batch, 0n), state: 'carried', failure },
  ...{ payoutEntry: null, transfer: null, bankAccount: null },
})

const withPayout = ({ total }: Settlement, payout: bigint) => ({
  ...{ payout, carriedOut: total - payout },
})

interface Asked {
  /** Of which less is not paid out, where all of it is too much for every bank. */
  readonly least?: bigint
  readonly claim?: Claim
}

/**
 * Writes the batch and instructs its payout, in one unit: of what it was to be as much as goes at
 * once. Whoever asks rings for the instruction: one ring for many costs a fraction.
 * @throws {ServiceError} `settlement_exists` when another was first, or the money is on its way
 *   elsewhere; `merchant_not_active`; what `chooseForMost` throws.
 */
export async function makeBatch(
  context: Context,
  wanted: Settlement,
  to: BankAccount | undefined,
  { least = 1n, claim }: Asked = {},
): Promise<Made> {
  const { account, currency, transfer, createdAt: at } = wanted
  if (to === undefined || transfer === null) return { outcome: await carryOver(context, wanted) }
  const all = { amount: wanted.payout, currency }
  const { way, amount } = await chooseForMost(context, to, all, least)
  const money = { amount, currency }
  const batch = { ...wanted, ...withPayout(wanted, amount) }
  const prepared = await prepareInstruction(
    context,
    {
      ...{ ...way, direction: 'credit', purpose: 'settlement', subject: batch.id },
      ...{ bankAccount: to.id, owner: account, transfer, money },
    },
    at,
  )
  const outcome = await context.group.submit({
    ...{ id: transfer, at, transfers: prepared.transfers, ...(claim && { claim }) },
    conditions: [{ account, availableAtLeast: amount }],
    conclude: (verdict) => {
      if (!verdict.accepted) return refusal(verdict)
      const left = verdict.transfers.find(({ debit }) => debit === account)
      return concluded({ ...batch, payoutEntry: left?.debitEntry ?? null }, prepared.instruction)
    },
  })
  return outcome.replayed ? { outcome } : { outcome, instruction: prepared.instruction.id }
}

/** No money moves, and the account is locked all the same: whoever reverses a payment waits. */
const carryOver = (context: Context, batch: Settlement): Promise<Outcome> =>
  context.group.submit({
    ...{ id: newUnitId(), at: batch.createdAt, transfers: [] },
    conditions: [{ account: batch.account }],
    conclude: (verdict) => (verdict.accepted ? concluded(batch) : refusal(verdict)),
  })

function concluded(batch: Settlement, ...instructions: readonly CompanionRow[]): Conclusion {
  const data = settlementOut(batch)
  const event = { type: `settlement.${batch.state}` as const, object: data.id, data }
  const rows = {
    ...{ settlements: [toRow(batch)], instructions: [...instructions] },
    events: [eventRow({ ...event, merchant: batch.merchant, at: batch.createdAt })],
  }
  return { rows, answer: JSON.stringify(data) }
}

/** That somebody was quicker, or it was suspended, is not final: the same may be asked again. */
function refusal(verdict: Refusal): Conclusion | Error {
  if (verdict.code === 'settlement_exists' || verdict.code === 'condition_failed') {
    return new ServiceError('settlement_exists', { retryAfter_s: 1 })
  }
  return verdict.code === 'merchant_not_active' ? new ServiceError(verdict.code) : refused(verdict)
}
