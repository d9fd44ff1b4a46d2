/** Whose turn it is: which of the units that wait go together next. */
import type { NewUnit } from './units.ts'
import type { AccountId } from './ids.ts'

export interface Waiting {
  /** What it will lock, as far as that is known. */
  readonly accounts: readonly AccountId[]
}

/**
 * The units that go next, in order, and those that stay. A unit that shares an account with a group
 * in flight would only wait for its locks, and its whole group with it, so it stays; and whatever
 * shares an account with one that stays, stays behind it, so that nobody is overtaken for ever.
 * When all must stay (everybody pays one merchant), they go all the same if they `mayWait` at the
 * lock: that keeps the database busy. One group that waits is enough; the group is empty otherwise.
 */
export function nextGroup<W extends Waiting>(
  queue: W[],
  busy: ReadonlyMap<AccountId, number>,
  sizeMax: number,
  mayWait: boolean,
): { readonly group: readonly W[]; readonly rest: W[] } {
  if (busy.size === 0) return { group: queue.slice(0, sizeMax), rest: queue.slice(sizeMax) }
  const behind = new Set<AccountId>()
  const group: W[] = []
  const rest: W[] = []
  let seen = 0
  while (seen < queue.length && group.length < sizeMax) {
    const waiting = queue[seen] as W
    const { accounts } = waiting
    if (accounts.some((id) => busy.has(id) || behind.has(id))) {
      rest.push(waiting)
      for (const id of accounts) behind.add(id)
    } else group.push(waiting)
    seen += 1
  }
  if (group.length === 0 && mayWait) {
    return { group: queue.slice(0, sizeMax), rest: queue.slice(sizeMax) }
  }
  return { group, rest: rest.concat(queue.slice(seen)) }
}

/** What the unit will lock, as far as it says so: a resolution does not name its accounts. */
export function accountsOf({ transfers }: NewUnit): AccountId[] {
  const accounts: AccountId[] = []
  for (const transfer of transfers) {
    if ('debit' in transfer) accounts.push(transfer.debit, transfer.credit)
  }
  return accounts
}

/** Counts, or no longer counts, these into how many there are in flight. */
export function count(counts: Map<AccountId, number>, group: readonly Waiting[], by: 1 | -1): void {
  for (const { accounts } of group) {
    for (const id of accounts) {
      const now = (counts.get(id) ?? 0) + by
      if (now === 0) counts.delete(id)
      else counts.set(id, now)
    }
  }
}
