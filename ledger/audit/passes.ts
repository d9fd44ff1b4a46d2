/** How the invariants of the books are written down: several to a statement. */

export interface Pass {
  /** What it proves. */
  readonly invariants: readonly string[]
  /** Selects `invariant` and `subject`, the id of what breaks it. */
  readonly sql: string
}

/** Clocks differ, and a transaction takes its time. */
export const TOLERANCE = `interval '1 minute'`

/** Turns conditions, by invariant, into rows of the invariants that do not hold of `subject`. */
const broken = (subject: string, conditions: Readonly<Record<string, string>>) => {
  const cases = Object.entries(conditions).map(
    ([name, sql]) => `CASE WHEN ${sql} THEN '${name}' END`,
  )
  const any = Object.values(conditions).map((sql) => `(${sql})`)
  return {
    columns: `unnest(array_remove(ARRAY[${cases.join(', ')}], NULL)) AS invariant,
              ${subject}::text AS subject`,
    where: `WHERE ${any.join(' OR ')}`,
  }
}

export const proves = (
  subject: string,
  conditions: Readonly<Record<string, string>>,
  from: string,
  before = '',
): Pass => {
  const { columns, where } = broken(subject, conditions)
  return {
    invariants: Object.keys(conditions),
    sql: `${before} SELECT ${columns} FROM ${from} ${where}`,
  }
}
