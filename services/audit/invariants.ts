/** How the invariants of the business are written: each a statement that finds what breaks it. */

export interface Invariant {
  readonly name: string
  /**
   * `always`: in every snapshot, also while payments are made. `drained`: once nobody is at work
   * any more, because what banks and receivers do comes after what we do.
   */
  readonly holds: 'always' | 'drained'
  /** Selects `subject`, the id of each row that breaks it. */
  readonly sql: string
}

type Group = Readonly<Record<string, string>>

const all = (holds: Invariant['holds'], group: Group): Invariant[] =>
  Object.entries(group).map(([name, sql]) => ({ name, holds, sql }))

export const always = (group: Group): Invariant[] => all('always', group)
export const drained = (group: Group): Invariant[] => all('drained', group)

/**
 * What moved for each of `subjects`: sums and counts of its transfers by code, in one pass over
 * them. A hold that is made or released has moved nothing.
 */
export const movedFor = (subjects: string, sums: Group): string => {
  const columns = Object.entries(sums).map(
    ([name, codes]) => `
      coalesce(sum(amount) FILTER (WHERE kind IN ('single', 'post')
                                     AND code = ANY ('{${codes}}')), 0) AS ${name}`,
  )
  return `(SELECT reference, ${columns.join(', ')} FROM transfers
            WHERE reference IN (SELECT id FROM ${subjects}) GROUP BY reference)`
}

/** `pay_...` of a uuid, as services/ids.ts writes it. */
export function publicIdSql(kind: string, uuid: string): string {
  const letters = Array.from({ length: 26 }, (_, at) => {
    const bits = `substring(bits FROM ${at * 5 + 1} FOR 5)::int`
    return `substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + ${bits}, 1)`
  })
  return `(SELECT '${kind}_' || ${letters.join(' || ')}
             FROM (SELECT B'00' || ('x' || replace(${uuid}::text, '-', ''))::bit(128) AS bits) id)`
}
