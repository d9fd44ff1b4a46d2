/** A person moves money of their own between their bank account and their wallet. */
import type { Direction } from '../../adapters/adapter.ts'
import {
  type Money,
  newId,
  newUnitId,
  type Outcome,
  type Use,
  type Uuid,
} from '../../ledger/index.ts'
import { refused } from '../answers.ts'
import { bankAccountOf } from '../banking/bank_accounts.ts'
import { prepareInstruction, submitInstruction } from '../banking/prepare.ts'
import { chooseBank } from '../banks/choose.ts'
import { personOwner, walletOf } from '../books/chart.ts'
import { type Asking, clear } from '../clearance/clear.ts'
import type { Context } from '../context.ts'
import { eventRow } from '../events/events.ts'
import { idFact, moneyFacts } from '../approvals/acts.ts'
import type { ApprovalBody } from '../approvals/approvals.ts'
import type { Person } from '../people/parties.ts'
import { usedAt } from '../limits/uses.ts'
import { NOT_HELD, quotasOf, type Payment, paymentRow } from './payment.ts'
import { paymentOut } from './shown.ts'
import { NOT_PRICED, noPrice } from './priced.ts'

export interface OwnMoneyRequest {
  readonly money: Money
  readonly bankAccount: Uuid
  readonly approval: ApprovalBody | undefined
}

export const DIRECTIONS = {
  top_up: 'debit',
  withdrawal: 'credit',
} as const satisfies Record<string, Direction>

/** A top-up is only reserved until the bank has paid; a withdrawal leaves the wallet at once. */
export async function moveOwnMoney(
  context: Context,
  kind: keyof typeof DIRECTIONS,
  person: Person,
  { money, bankAccount, approval: given }: OwnMoneyRequest,
  { claim, key, standing }: Asking,
): Promise<Outcome> {
  const account = await bankAccountOf(context.db, personOwner(person.id), bankAccount)
  const source = account.id
  const way = await chooseBank(context, account, DIRECTIONS[kind], money)
  const facts = { ...moneyFacts(money), source: idFact('bac', source) }
  const { approval, uses } = await clear(context, {
    ...{ rail: kind, payer: person.id, payee: null, money, given, standing },
    act: { action: kind, person: person.id, facts, key },
  })

  const owner = await walletOf(context, person.id, money.currency)
  const payment = newPayment(context, kind, person, money, { source, uses })
  const at = payment.createdAt
  const prepared = await prepareInstruction(
    context,
    {
      ...{ ...way, direction: DIRECTIONS[kind], purpose: kind },
      subject: payment.id,
      ...{ bankAccount: source, owner, transfer: payment.transfer, money },
    },
    at,
  )
  const body = paymentOut(payment, { feeLines: [] })
  return submitInstruction(context, prepared, {
    ...{ id: payment.transfer, at, claim, evidence: approval.evidence },
    uses: usedAt(context, uses, at),
    conclude: (verdict) => {
      if (!verdict.accepted) return refused(verdict)
      const rows = {
        payments: [paymentRow(payment, approval)],
        instructions: [prepared.instruction],
        events: [eventRow({ type: 'payment.processing', object: body.id, data: body, at })],
      }
      return { rows, answer: JSON.stringify(body) }
    },
  })
}

function newPayment(
  context: Context,
  kind: 'top_up' | 'withdrawal',
  person: Person,
  { amount, currency }: Money,
  { source, uses }: { readonly source: Uuid; readonly uses: readonly Use[] },
): Payment {
  const now = context.now()
  const { lines: _none, ...price } = noPrice(amount)
  return {
    ...{ id: newId(), kind, state: 'processing', payer: person.id, payee: null, order: null },
    orderReusable: false,
    ...{
      bankAccount: source,
      quotas: quotasOf(uses),
      transfer: newUnitId(),
      amount,
      currency,
      ...price,
      ...NOT_PRICED,
    },
    ...{ note: null, failure: null, createdAt: now, changedAt: now, ...NOT_HELD },
  }
}
