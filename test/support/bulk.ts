/** Bulks of an operator, and accounts for them. */
import { findAccounts, openAccount } from '../../ledger/index.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { type Answer, newKey } from './api.ts'
import { together } from './proposals.ts'
import { world } from './world.ts'

export interface Unit {
  readonly key: string
  readonly transfers: readonly object[]
  readonly reason: string
}

/** An account of nobody in particular. */
export async function account(
  type: 'wallet' | 'bank' = 'wallet',
  openedDaysAgo = 0,
): Promise<string> {
  const { api, owner } = await world()
  const key = { owner: `bulk ${newKey()}`, type, currency: 'EUR' } as const
  const id = await openAccount(api.db, key)
  const opened_at = new Date(Date.now() - openedDaysAgo * 86_400_000)
  if (openedDaysAgo > 0) await owner('accounts').where({ id }).update({ opened_at })
  return publicId('acc', id)
}

export async function balance(id: string): Promise<bigint | undefined> {
  const { api } = await world()
  const [found] = await findAccounts(api.db, { id: uuidOf(id) })
  return found?.posted
}

export const move = (debit: string, credit: string, amount: string, more: object = {}) => ({
  ...{ kind: 'single', debit, credit, amount, currency: 'EUR', code: 'correction' },
  ...more,
})
export const unit = (transfers: readonly object[], more: object = {}): Unit => ({
  ...{ key: newKey(), transfers, reason: 'a test' },
  ...more,
})
export const bulk = (mode: string, units: readonly object[], key = newKey()) =>
  together('/v1/ledger/bulk', { key, body: { mode, units } })
export const statesOf = ({ body }: Answer): string[] =>
  body.results.map(
    (one: { state: string; code?: string; replayed?: boolean }) =>
      `${one.replayed === true ? 'replayed ' : ''}${one.code ?? one.state}`,
  )
