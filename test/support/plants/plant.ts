/** Corruptions of the business, and how they are written. */

/** What is done, as statements; in them `:name` is the id of one of the healthy business. */
export type Plant = readonly [what: string, ...statements: string[]]

export const set = (table: string, id: string, change: string) =>
  `UPDATE ${table} SET ${change} WHERE id = :${id}`
export const state = (table: string, id: string, to: string) => set(table, id, `state = '${to}'`)
export const without = (table: string, name: string) =>
  `ALTER TABLE ${table} DROP CONSTRAINT ${name}`
export const NEW = 'gen_random_uuid()'

/** A row like another one, but for these columns. */
export const copy = (table: string, id: string, change: Readonly<Record<string, string>>) =>
  `INSERT INTO ${table} SELECT (jsonb_populate_record(t, jsonb_build_object(${Object.entries(change)
    .map(([column, value]) => `'${column}', ${value}`)
    .join(', ')}))).* FROM ${table} t WHERE id = :${id}`
