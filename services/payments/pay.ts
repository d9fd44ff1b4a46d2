/**
 * A person pays. Top to bottom: whom, for what, may they, what moves; then one unit is submitted
 * and everything that must agree commits together. Paid from a wallet it is done with the answer;
 * paid from a bank account it is done when the bank has said so.
 */
import {
  type Claim,
  type CompanionRows,
  type Conclusion,
  type Money,
  newId,
  newUnitId,
  type Outcome,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import { type BankAccount, bankAccountOf } from '../banking/bank_accounts.ts'
import { prepareInstruction, submitInstruction } from '../banking/prepare.ts'
import { chooseBank, type Way } from '../banks/choose.ts'
import { findWallet, personOwner, walletOf } from '../books/chart.ts'
import { type Asking, type Clearance, clear } from '../clearance/clear.ts'
import type { Rail } from '../clearance/facts.ts'
import type { Context } from '../context.ts'
import { eventRow } from '../events/events.ts'
import { splitRows } from '../fees/splits.ts'
import { publicId } from '../ids.ts'
import { type Act, idFact } from '../approvals/acts.ts'
import type { Person } from '../people/parties.ts'
import { usedAt } from '../limits/uses.ts'
import { type Made, type Note, noteOf } from '../privacy/shown.ts'
import { transfersOf } from './moving.ts'
import { authorized, isHidden, later, quotasOf, type Payment, paymentRow } from './payment.ts'
import { paymentOut } from './shown.ts'
import { type PaymentRequest, type Purpose, purposeOf } from './purpose.ts'
import { reviewRow } from './reviews.ts'

/** All that is decided before any money is looked at. */
interface Agreed {
  readonly purpose: Purpose
  readonly payer: Person
  readonly money: Money
  readonly note: Note
  /** The bank account to pay from; the wallet where there is none. */
  readonly source: Source | undefined
  readonly clearance: Clearance
  readonly claim: Claim
}

/** A bank account to pay from, and how its money comes to us. */
type Source = BankAccount & { readonly way: Way }

/**
 * @throws {ServiceError} for what is wrong before any money is looked at: such a refusal is not
 *   stored, so the same key may be tried again.
 */
export async function pay(
  context: Context,
  payer: Person,
  request: PaymentRequest,
  { claim, key, standing }: Asking,
): Promise<Outcome> {
  const { money } = request
  const purpose = await purposeOf(context, payer, request, standing)
  const source = await sourceOf(context, payer, request)
  const clearance = await clear(context, {
    rail: railOf(purpose, source),
    payer: payer.id,
    payee: purpose.payee,
    money,
    act: actOf(payer, purpose, money, source, key),
    given: request.approval,
    standing,
  })
  const note = await noteOf(context, payer.id, request.note)
  const agreed = { purpose, payer, money, note, source, clearance, claim }
  return source === undefined
    ? payFromWallet(context, agreed)
    : payFromBank(context, agreed, source)
}

/** What the payer agrees to. */
const actOf = (
  { id: person }: Person,
  { payee, order }: Purpose,
  money: Money,
  source: BankAccount | undefined,
  key: string,
): Act => ({
  action: 'payment',
  person,
  key,
  facts: {
    payee: publicId(payee.kind === 'person' ? 'per' : 'mer', payee.id),
    amount: money.amount.toString(),
    currency: money.currency,
    order: idFact('ord', order),
    source: idFact('bac', source?.id),
  },
})

function railOf({ kind }: Purpose, source: BankAccount | undefined): Rail {
  if (source !== undefined) return 'bank'
  return kind === 'person' ? 'wallet' : 'order'
}

async function sourceOf(context: Context, payer: Person, { source, money }: PaymentRequest) {
  if (source === undefined) return undefined
  const account = await bankAccountOf(context.db, personOwner(payer.id), source)
  return { ...account, way: await chooseBank(context, account, 'debit', money) }
}

async function payFromWallet(context: Context, agreed: Agreed): Promise<Outcome> {
  const { purpose, payer, money, claim } = agreed
  const { kind, payee, price, manual, splits } = purpose
  const { payment, heldUntil } = heldIfAsked(newPayment(context, agreed, 'completed'), manual)
  const { fee, tax } = price
  const isReviewed = payment.reviewDueAt !== null
  const between = { kind, payer: payer.id, payee: payee.id }
  const paying = { ...between, money, fee, tax, splits, heldUntil, isReviewed }
  const occasion = { reference: payment.id }
  const { evidence } = agreed.clearance.approval
  const uses = usedAt(context, agreed.clearance.uses, payment.createdAt)
  const [id, at] = [payment.transfer, payment.createdAt]
  if ((await findWallet(context, payer.id, money.currency)) === undefined) {
    // No account is opened for anybody by a payment that cannot be made.
    const conclude = () => refused({ accepted: false, code: 'insufficient_funds' })
    return context.group.submit({ id, at, claim, transfers: [], conclude })
  }
  const transfers = await transfersOf(context, occasion, paying)
  return context.group.submit({
    id,
    at,
    claim,
    evidence,
    transfers,
    uses,
    conclude: (verdict) => (verdict.accepted ? concluded(payment, agreed, {}) : refused(verdict)),
  })
}

/** Held for a review before anything else; then for the merchant, who may take it later. */
function heldIfAsked(paid: Payment, manual: Purpose['manual']) {
  if (paid.reviewDueAt !== null) return { payment: paid, heldUntil: paid.reviewDueAt }
  if (manual === undefined) return { payment: paid, heldUntil: null }
  const heldUntil = later(paid.createdAt, manual.within_s)
  return {
    payment: { ...paid, ...authorized(paid.transfer, paid.createdAt, heldUntil) },
    heldUntil,
  }
}

/** The bank is asked first; until it has answered nothing but a hold is in the books. */
async function payFromBank(context: Context, agreed: Agreed, source: Source): Promise<Outcome> {
  const payment = newPayment(context, agreed, 'processing')
  const { payer, money, claim, clearance } = agreed
  const uses = usedAt(context, clearance.uses, payment.createdAt)
  const unit = { id: payment.transfer, at: payment.createdAt, claim, uses }
  // No bank hears of what somebody must look at first.
  if (payment.reviewDueAt !== null) {
    return context.group.submit({
      ...{ ...unit, transfers: [] },
      conclude: (verdict) => (verdict.accepted ? concluded(payment, agreed, {}) : refused(verdict)),
    })
  }
  const owner = await walletOf(context, payer.id, money.currency)
  const prepared = await prepareInstruction(
    context,
    {
      ...{ ...source.way, direction: 'debit', purpose: 'payment' },
      subject: payment.id,
      ...{ bankAccount: source.id, owner, transfer: payment.transfer, money },
    },
    payment.createdAt,
  )
  const more = { instructions: [prepared.instruction] }
  return submitInstruction(context, prepared, {
    ...{ ...unit, evidence: clearance.approval.evidence },
    conclude: (verdict) => (verdict.accepted ? concluded(payment, agreed, more) : refused(verdict)),
  })
}

function newPayment(
  context: Context,
  { purpose, payer, source, money, note, clearance }: Agreed,
  state: 'completed' | 'processing',
): Payment {
  const { kind, payee, order, orderReusable, priced, price, manual } = purpose
  const [id, now] = [newId(), context.now()]
  const isReviewed = clearance.review !== null
  const reviewDueAt = isReviewed ? later(now, context.config.REVIEW_HOURS * 3_600) : null
  // One literal: this is done for every payment, and each spread would cost as much as all of it.
  return {
    id,
    kind,
    state: isReviewed ? 'review' : state,
    payer: payer.id,
    payee: payee.id,
    order,
    orderReusable,
    bankAccount: source?.id ?? null,
    feeSchedule: priced?.schedule.id ?? null,
    transfer: newUnitId(),
    amount: money.amount,
    fee: price.fee,
    tax: price.tax,
    net: price.net,
    surcharge: price.surcharge ?? 0n,
    priced,
    currency: money.currency,
    note: note.seal(id),
    failure: null,
    createdAt: now,
    changedAt: now,
    captured: manual === undefined ? null : 0n,
    hold: null,
    authorizedAt: null,
    captureBefore: null,
    reversedAt: null,
    refunded: 0n,
    disputed: 0n,
    releasedAt: null,
    quotas: quotasOf(clearance.uses),
    reviewDueAt,
  }
}

/** What commits with the money, and what the payer is answered. */
function concluded(
  payment: Payment,
  { purpose: { kind, payee, price, splits }, clearance, note }: Agreed,
  more: CompanionRows,
): Conclusion {
  const body = paymentOut(payment, { feeLines: price.lines })
  // Made into text once: it is the answer, and what the log says.
  const answer = JSON.stringify(body)
  const made: Made = { id: body.id, state: body.state, note: note.text }
  const merchant = kind === 'order' && !isHidden(payment) ? payee.id : undefined
  const { approval, review } = clearance
  const type = `payment.${payment.state}` as const
  const rows = {
    payments: [paymentRow(payment, approval)],
    ...(review !== null && { reviews: [reviewRow(payment, review, approval.evidence)] }),
    fee_lines: price.lines.map(({ amount, ...line }, index) => ({
      ...{ payment_id: payment.id, line: index + 1, amount: amount.toString(), ...line },
    })),
    ...(splits.length > 0 && { payment_splits: splitRows(payment.id, splits) }),
    events: [eventRow({ type, object: body.id, merchant, data: answer, at: payment.createdAt })],
    ...more,
  }
  return { rows, answer, made }
}
