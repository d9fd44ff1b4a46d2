/** Rows of other tables that commit with the money. What they mean is their owners' business. */
import type { Connection } from './database.ts'

/** Column values as JSON can carry them; amounts as text. */
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
    return ours.length === 0 ? [] : [insert(connection, table, columns, ours)]
  })
}

function insert(
  connection: Connection,
  table: string,
  columns: readonly string[],
  rows: readonly CompanionRow[],
): Promise<unknown> {
  const names = columns.join(', ')
  const text = `INSERT INTO ${table} (${names})
                SELECT ${names} FROM json_populate_recordset(NULL::${table}, $1)`
  return connection.query({ name: `write_${table}`, text, values: [JSON.stringify(rows)] })
}
