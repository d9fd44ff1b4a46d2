/**
 * What everybody must own, by what they were told and by nothing that the product says: each starts
 * with what there was, pays what was acknowledged, and gets what others had acknowledged to them.
 */
import type { Balances } from '../model.ts'

/** Of the journal: that somebody asks, or that somebody was answered. */
export interface Note {
  readonly asks?: string
  readonly from?: string
  readonly to?: string
  readonly amount?: string
  readonly answered?: string
  readonly status?: number
}

/** Who pays whom how much, by the request itself: its token, and its body. */
export function partiesOf(request: string): Required<Pick<Note, 'from' | 'to' | 'amount'>> {
  const claims = /\r\nauthorization: Bearer [^.]+\.([^.]+)\./i.exec(request)?.[1] ?? ''
  const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString())
  const { payee, amount } = JSON.parse(request.slice(request.indexOf('\r\n\r\n')))
  return { from: sub, to: payee.replace(/^@/, ''), amount }
}

/** The keys of all that was acknowledged. */
export const toldIn = (notes: readonly Note[]): ReadonlySet<string> =>
  new Set(notes.flatMap(({ answered, status }) => (status === 201 && answered ? [answered] : [])))

/** @throws {Error} where the journal does not say who pays whom. */
export function ownedAfter(before: Balances, notes: readonly Note[]): Balances {
  const [owned, told] = [new Map(before), toldIn(notes)]
  const add = (who: string, amount: bigint) =>
    owned.set(`wallet ${who}`, (owned.get(`wallet ${who}`) ?? 0n) + amount)
  for (const { asks, from, to, amount } of notes) {
    if (asks === undefined || !told.has(asks)) continue
    if (from === undefined || to === undefined) throw new Error(`${asks}: who pays whom?`)
    add(from, -BigInt(amount ?? ''))
    add(to, BigInt(amount ?? ''))
  }
  return owned
}
