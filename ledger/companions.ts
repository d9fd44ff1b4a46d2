/** Rows of other tables that commit with the money. What they mean is their owners' business. */
import type { Connection } from './database.ts'
import { copyOfText } from './wire/copy.ts'

/** Column values as JSON can carry them; amounts as text. What is left out is null. */
export type CompanionRow = Readonly<Record<string, unknown>>
export type CompanionRows = Readonly<Record<string, readonly CompanionRow[]>>

/** The tables that may take part, in writing order, each with the columns that rows may fill. */
export type CompanionTables = Readonly<Record<string, readonly string[]>>

export function writeCompanions(
  connection: Connection,
  tables: CompanionTables,
  conclusions: readonly { readonly rows?: CompanionRows }[],
): Promise<unknown>[] {
  const rows = conclusions.flatMap((conclusion) => (conclusion.rows ? [conclusion.rows] : []))
  if (rows.some((byTable) => Object.keys(byTable).some((table) => !(table in tables)))) {
    throw new Error('a companion row names a table that does not take part')
  }
  return Object.entries(tables).flatMap(([table, columns]) => {
    const ours = rows.flatMap((byTable) => byTable[table] ?? [])
    return ours.length === 0 ? [] : [copyOfText(table, columns, ours)(connection)]
  })
}
