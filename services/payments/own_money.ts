/** A person moves money of their own between their bank account and their wallet. */
import type { Direction } from '../../adapters/adapter.ts'
import {
  type Claim,
  type Money,
  newId,
  newUnitId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import { bankAccountOf } from '../banking/bank_accounts.ts'
import { instructionRow } from '../banking/instructions.ts'
import { bankAccountsOf, personOwner, walletOf } from '../books/chart.ts'
import { instructed } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { eventRow } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { type ApprovalBody, approve } from '../identity/approvals.ts'
import type { Person } from '../identity/parties.ts'
import { noPrice, type Payment, paymentOut, paymentRow } from './payment.ts'

export interface OwnMoneyRequest {
  readonly money: Money
  readonly bankAccount: Uuid
  readonly approval: ApprovalBody | undefined
}

const DIRECTIONS = {
  top_up: 'debit',
  withdrawal: 'credit',
} as const satisfies Record<string, Direction>

/** A top-up is only reserved until the bank has paid; a withdrawal leaves the wallet at once. */
export async function moveOwnMoney(
  context: Context,
  kind: keyof typeof DIRECTIONS,
  person: Person,
  { money, bankAccount, approval: given }: OwnMoneyRequest,
  claim: Claim,
  idempotencyKey: string,
): Promise<Outcome> {
  const account = await bankAccountOf(context.db, personOwner(person.id), bankAccount)
  const { bank } = account
  refuseCurrency(context, bank, money)
  const approved = { payer: person.id, payee: `${kind} ${account.id}`, money, order: undefined }
  const approval = await approve(context, { ...approved, idempotencyKey }, given)

  const owner = await walletOf(context, person.id, money.currency)
  const accounts = { owner, ...(await bankAccountsOf(context, bank, money.currency)) }
  const payment = newPayment(context, kind, person, money, account.id)
  const occasion = { reference: payment.id, effectiveAt: payment.createdAt }
  const transfers = instructed(occasion, DIRECTIONS[kind], accounts, money)
  const instruction = instructionRow(
    {
      ...{ bank, direction: DIRECTIONS[kind], purpose: kind, subject: payment.id },
      ...{ bankAccount: account.id, owner, transfer: payment.transfer, money },
    },
    payment.createdAt,
  )
  const shown = { payer: { ...person, kind: 'person' as const }, payee: null, feeLines: [] }
  const body = paymentOut(payment, shown)
  const at = payment.createdAt
  const event = { type: 'payment.processing' as const, object: publicId('pay', payment.id) }
  const outcome = await context.group.submit({
    ...{ id: payment.transfer, transfers, claim },
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        payments: [paymentRow(payment, approval)],
        instructions: [instruction],
        events: [eventRow({ ...event, data: body, at })],
      }
      return { rows, answer: JSON.stringify(body) }
    },
  })
  if (!outcome.replayed) await context.queue.ring('instruction', [instruction.id])
  return outcome
}

/** @throws {ServiceError} `currency_not_supported` unless the bank handles the currency. */
export function refuseCurrency({ config }: Context, bank: string, { currency }: Money): void {
  const known = config.BANKS.find((one) => one.name === bank)
  if (known?.currencies.includes(currency) !== true)
    throw new ServiceError('currency_not_supported')
}

function newPayment(
  context: Context,
  kind: 'top_up' | 'withdrawal',
  person: Person,
  { amount, currency }: Money,
  bankAccount: Uuid,
): Payment {
  const now = context.now()
  const { lines: _none, ...price } = noPrice(amount)
  return {
    ...{ id: newId(), kind, state: 'processing', payer: person.id, payee: null, order: null },
    ...{ bankAccount, feeSchedule: null, transfer: newUnitId(), amount, currency, ...price },
    ...{ note: null, failure: null, createdAt: now, changedAt: now },
  }
}
