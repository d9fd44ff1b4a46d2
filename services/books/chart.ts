/** Whose money is in which account: the business's names for accounts of the books. */
import type { Knex } from 'knex'
import {
  type AccountId,
  type AccountKey,
  closeAccount,
  type Currency,
  findAccounts,
  type Money,
  openAccount,
  type Uuid,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { publicId } from '../ids.ts'

export const PLATFORM = 'florin'

export const personOwner = (person: Uuid): string => publicId('per', person)
export const merchantOwner = (merchant: Uuid): string => publicId('mer', merchant)
export const bankOwner = (bank: string): string => `bank:${bank}`
/** Undefined for what is no bank's. */
export const bankOfOwner = (owner: string): string | undefined => /^bank:(.+)$/.exec(owner)?.[1]

/** The account's id; opened when it is first needed, then remembered. */
function accountOf(context: Pick<Context, 'db' | 'memory'>, key: AccountKey) {
  return context.memory.recall<AccountId>(nameOf(key), () => openAccount(context.db, key))
}

/** Who was erased gets one that is closed: the books refuse whatever was on its way there. */
export function walletOf(context: Context, person: Uuid, currency: Currency) {
  const key = { owner: personOwner(person), type: 'wallet', currency } as const
  return context.memory.recall<AccountId>(nameOf(key), async () => {
    const [known] = await findAccounts(context.db, key)
    return known?.id ?? openWallet(context, person, key)
  })
}

const openWallet = ({ db, now }: Context, person: Uuid, key: AccountKey): Promise<AccountId> =>
  db.transaction(async (trx) => {
    await lockBelongings(trx, person, 'to add one')
    const id = await openAccount(trx, key)
    const erased = await trx('people').where({ id: person }).whereNotNull('erased_at').first('id')
    const [account] = erased === undefined ? [] : await findAccounts(trx, key)
    if (account?.closedAt === null) await closeAccount(trx, id, now())
    return id
  })

const LOCKS = {
  'to add one': 'SELECT pg_advisory_xact_lock_shared(hashtextextended(?, 0))',
  'to close all': 'SELECT pg_advisory_xact_lock(hashtextextended(?, 0))',
} as const

/** So that a person gets no wallet or bank account while theirs are being closed for ever. */
export async function lockBelongings(
  trx: Knex.Transaction,
  person: Uuid,
  why: keyof typeof LOCKS,
): Promise<void> {
  await trx.raw(LOCKS[why], [`belongings ${person}`])
}

/** The wallet, if there is one: a person who never had money has none. */
export const findWallet = (context: Context, person: Uuid, currency: Currency) =>
  known(context, { owner: personOwner(person), type: 'wallet', currency })

/** The merchant's account, if there is one: whoever only reads opens none. */
export const findMerchantAccount = (context: Context, merchant: Uuid, currency: Currency) =>
  known(context, { owner: merchantOwner(merchant), type: 'merchant', currency })

function known(context: Context, key: AccountKey) {
  return context.memory.recall<AccountId | undefined>(nameOf(key), async () => {
    const [account] = await findAccounts(context.db, key)
    return account?.id
  })
}

const nameOf = ({ owner, type, currency }: AccountKey) => `account ${owner} ${type} ${currency}`

export const merchantAccountOf = (context: Context, merchant: Uuid, currency: Currency) =>
  accountOf(context, { owner: merchantOwner(merchant), type: 'merchant', currency })

/** What is kept back from a merchant. */
export const merchantReserveOf = (context: Context, merchant: Uuid, currency: Currency) =>
  accountOf(context, { owner: merchantOwner(merchant), type: 'reserve', currency })

/** Our own accounts that a payment to a merchant touches. */
export async function feeAccounts(context: Context, currency: Currency) {
  const [fees, tax] = await Promise.all([
    accountOf(context, { owner: PLATFORM, type: 'fees', currency }),
    accountOf(context, { owner: PLATFORM, type: 'tax', currency }),
  ])
  return { fees, tax }
}

/** Where money is held while somebody looks at its payment: nobody's yet, and no payee's. */
export const reviewAccount = (context: Context, currency: Currency) =>
  accountOf(context, { owner: PLATFORM, type: 'suspense', currency })

/** What we bear ourselves: a bank's charges, and what was written off. */
export const lossAccount = (context: Context, currency: Currency) =>
  accountOf(context, { owner: PLATFORM, type: 'loss', currency })

/** Our own accounts that an exchange touches. */
export async function exchangeAccounts(context: Context, sell: Currency, buy: Currency) {
  const owner = PLATFORM
  const [sold, bought, fees, rounding] = await Promise.all([
    accountOf(context, { owner, type: 'fx', currency: sell }),
    accountOf(context, { owner, type: 'fx', currency: buy }),
    accountOf(context, { owner, type: 'fees', currency: buy }),
    accountOf(context, { owner, type: 'rounding', currency: buy }),
  ])
  return { sold, bought, fees, rounding }
}

/** What exchanges took in less what they gave out, in each currency that ever took part. */
export async function fxPositions(context: Pick<Context, 'db'>): Promise<Money[]> {
  const accounts = await findAccounts(context.db, { owner: PLATFORM, type: 'fx' })
  return accounts.map(({ posted: amount, currency }) => ({ amount, currency }))
}

/** Our money at a bank, and what is on its way out through it or has no owner. */
export async function bankAccountsOf(context: Context, bank: string, currency: Currency) {
  const owner = bankOwner(bank)
  const [atBank, transit, suspense] = await Promise.all([
    accountOf(context, { owner, type: 'bank', currency }),
    accountOf(context, { owner, type: 'transit', currency }),
    accountOf(context, { owner, type: 'suspense', currency }),
  ])
  return { bank: atBank, transit, suspense }
}

/** What each bank's `suspense` holds: money whose owner nobody knows yet, for the metrics. */
export async function suspenseOf({ db, banks }: Pick<Context, 'db' | 'banks'>) {
  const found = await Promise.all(
    [...banks.keys()].map(async (bank) => {
      const accounts = await findAccounts(db, { owner: bankOwner(bank), type: 'suspense' })
      return accounts.map(({ posted: value, currency }) => ({ labels: { bank, currency }, value }))
    }),
  )
  return found.flat()
}
