/** Whose turn it is: which of the units that wait go together next. */
import type { NewUnit } from './units.ts'
import type { AccountId } from './ids.ts'

/**
 * The units that go next, in order, and those that stay. A unit that shares an account with a group
 * in flight would only wait for its locks, and its whole group with it, so it stays; and whatever
 * shares an account with one that stays, stays behind it, so that nobody is overtaken for ever.
 * When all must stay (everybody pays one merchant), they go all the same and queue up at the lock:
 * that keeps the database busy.
 */
export function nextGroup<W extends { readonly unit: NewUnit }>(
  queue: W[],
  busy: ReadonlyMap<AccountId, number>,
  sizeMax: number,
): { readonly group: readonly W[]; readonly rest: W[] } {
  if (busy.size === 0) return { group: queue.slice(0, sizeMax), rest: queue.slice(sizeMax) }
  const behind = new Set<AccountId>()
  const group: W[] = []
  const rest: W[] = []
  let seen = 0
  while (seen < queue.length && group.length < sizeMax) {
    const waiting = queue[seen] as W
    const accounts = accountsOf(waiting.unit)
    if (accounts.some((id) => busy.has(id) || behind.has(id))) {
      rest.push(waiting)
      for (const id of accounts) behind.add(id)
    } else group.push(waiting)
    seen += 1
  }
  if (group.length === 0) return { group: queue.slice(0, sizeMax), rest: queue.slice(sizeMax) }
  return { group, rest: rest.concat(queue.slice(seen)) }
}

/** What the unit will lock, as far as it says so: a resolution does not name its accounts. */
export const accountsOf = ({ transfers }: NewUnit): AccountId[] =>
  transfers.flatMap((transfer) => ('debit' in transfer ? [transfer.debit, transfer.credit] : []))

export function count(counts: Map<AccountId, number>, id: AccountId, by: 1 | -1): void {
  const now = (counts.get(id) ?? 0) + by
  if (now === 0) counts.delete(id)
  else counts.set(id, now)
}
