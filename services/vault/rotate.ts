/**
 * Seals anew, under the current key, what earlier keys sealed. Safe while the service runs: a value
 * is replaced only where it is still the one that was opened. Again after it was interrupted, it
 * goes on with what is left.
 */
import type { Knex } from 'knex'
import { SEALED_COLUMNS, type SealedColumn } from './sealed.ts'
import { kidOf, type Vault, VaultError } from './vault.ts'

/** Rows that are read, and then changed, at once. */
const BATCH = 500

export interface Rotation {
  /** How many values were sealed anew. */
  readonly rotated: number
  /** How many are under another key than the current one, afterwards: by the ids of the keys. */
  readonly left: ReadonlyMap<string, number>
  /** Why some are left: the first of those that could not be opened. */
  readonly faults: readonly string[]
}

/** So many faults are told. */
const FAULTS_MAX = 10

/** What cannot be opened, because its key is missing or it was changed, keeps nothing else back. */
export async function rotate(
  db: Knex,
  vault: Vault,
  onProgress: (done: number, of: number) => void = () => {},
): Promise<Rotation> {
  const columns = SEALED_COLUMNS.filter(({ under }) => under === 'vault')
  const of = sum(await Promise.all(columns.map((column) => sealedIn(db, column))))
  const faults: string[] = []
  let [rotated, done] = [0, 0]
  for (const column of columns) {
    for await (const rows of batchesOf(db, column)) {
      for (const row of rows) {
        try {
          rotated += await resealed(db, vault, column, row)
        } catch (error) {
          if (!(error instanceof VaultError)) throw error
          if (faults.length < FAULTS_MAX) faults.push(error.message)
        }
      }
      onProgress((done += rows.length), of)
    }
  }
  return { rotated, left: await leftOf(db, vault, columns), faults }
}

async function leftOf(db: Knex, { current }: Vault, columns: readonly SealedColumn[]) {
  const left = new Map<string, number>()
  for (const column of columns) {
    for await (const rows of batchesOf(db, column)) {
      for (const { sealed } of rows) {
        const kid = kidOf(sealed) ?? 'no key'
        if (kid !== current) left.set(kid, (left.get(kid) ?? 0) + 1)
      }
    }
  }
  return left
}

interface Row {
  readonly id: string
  readonly sealed: Buffer
}

async function sealedIn(db: Knex, { table, column }: SealedColumn): Promise<number> {
  const rows = await db(table).whereNotNull(column).count({ count: '*' })
  return Number(rows[0]?.count ?? 0)
}

async function* batchesOf(db: Knex, { table, id, column }: SealedColumn): AsyncGenerator<Row[]> {
  let rows: Row[] = []
  do {
    const query = db(table).whereNotNull(column).orderBy(id).limit(BATCH)
    const last = rows.at(-1)
    if (last !== undefined) void query.where(id, '>', last.id)
    rows = await query.select({ id, sealed: column })
    yield rows
  } while (rows.length === BATCH)
}

/** 1 if it was sealed anew, 0 if it is current, or was changed by somebody else meanwhile. */
async function resealed(
  db: Knex,
  vault: Vault,
  { table, id, column }: SealedColumn,
  { id: row, sealed }: Row,
): Promise<number> {
  if (kidOf(sealed) === vault.current) return 0
  const place = { table, row, column }
  const anew = vault.seal(place, vault.open(place, sealed))
  return db(table)
    .where({ [id]: row, [column]: sealed })
    .update({ [column]: anew })
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
