/** Accounts as the API shows them, and what operators do to them. */
import type { Knex } from 'knex'
import {
  type AccountBalances,
  type AccountId,
  closePeriod,
  freezeAccount,
  type Metadata,
  setMetadata,
  stateOf,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import type { EventType } from '../events/catalogue.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { closeUnowed } from './owed.ts'

/** For its owner. */
export const accountOut = (account: AccountBalances) => ({
  id: publicId('acc', account.id),
  type: account.type,
  currency: account.currency,
  state: stateOf(account),
  posted: { amount: account.posted.toString(), currency: account.currency },
  available: { amount: account.available.toString(), currency: account.currency },
  version: account.lastEntry.toString(),
  opened_at: account.openedAt.toISOString(),
})

/** For operators. */
export const ledgerAccountOut = (account: AccountBalances) => ({
  ...accountOut(account),
  owner: account.owner,
  frozen: { debits: account.debitsFrozen, credits: account.creditsFrozen },
  closed_at: account.closedAt?.toISOString() ?? null,
  closed_through: account.closedThrough?.toISOString() ?? null,
  metadata: account.metadata,
})

export type LedgerAccount = ReturnType<typeof ledgerAccountOut>

/** Who does it, and why: kept in the event. */
export interface Occasion {
  readonly operator: string
  readonly reason: string
}

export const freeze = (
  context: Context,
  id: AccountId,
  { debits, credits, ...occasion }: Occasion & { readonly debits: boolean; credits: boolean },
): Promise<LedgerAccount> =>
  changed(context, debits || credits ? 'account.frozen' : 'account.unfrozen', occasion, (trx) =>
    freezeAccount(trx, id, { debits, credits }),
  )

export const close = (context: Context, id: AccountId, occasion: Occasion) =>
  changed(context, 'account.closed', occasion, (trx) => closeUnowed(trx, id, context.now()))

export const describe = (context: Context, id: AccountId, occasion: Occasion, to: Metadata) =>
  changed(context, 'account.updated', occasion, (trx) => setMetadata(trx, id, to))

/** The change and its event, or neither. */
async function changed(
  context: Context,
  type: EventType,
  occasion: Occasion,
  change: (trx: Knex.Transaction) => Promise<AccountBalances>,
): Promise<LedgerAccount> {
  return context.db.transaction(async (trx) => {
    const account = ledgerAccountOut(await change(trx))
    const data = { account, ...occasion }
    await recordEvent(trx, { type, object: account.id, data, at: context.now() })
    await recordAction(trx, context, type, account.id)
    return account
  })
}

/** Closes the account's period; nothing of it changes any more. */
export async function closeBooksThrough(
  context: Context,
  account: AccountBalances,
  through: Date,
  occasion: Occasion,
) {
  return context.db.transaction(async (trx) => {
    const at = context.now()
    const { balance } = await closePeriod(trx, account.id, through, at)
    const period = {
      account: publicId('acc', account.id),
      through: through.toISOString(),
      balance: { amount: balance.toString(), currency: account.currency },
      closed_at: at.toISOString(),
    }
    const data = { period, ...occasion }
    await recordEvent(trx, { type: 'account.period_closed', object: period.account, data, at })
    await recordAction(trx, context, 'account.period_closed', period.account)
    return period
  })
}

function recordAction(
  trx: Knex.Transaction,
  context: Context,
  action: EventType,
  subject: string,
): Promise<void> {
  const entry = { kind: 'manual_action', subject, detail: { action } } as const
  return recordSecurity({ ...context, db: trx }, entry)
}
