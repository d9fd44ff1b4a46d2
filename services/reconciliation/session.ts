/**
 * One connection for the length of a reconciliation: its temporary tables live and die with it, and
 * so does the lock by which nobody else reconciles the same bank meanwhile.
 */
import type { Knex } from 'knex'
import { type Copy, copyOfText } from '../../ledger/index.ts'

type Bindings = Readonly<Record<string, string | number | null>>

export interface Session {
  /** A statement of its own, outside any transaction. */
  readonly run: <Row>(sql: string, bindings?: Bindings) => Promise<Row[]>
  readonly transaction: <T>(work: (trx: Knex.Transaction) => Promise<T>) => Promise<T>
  /** Adds rows by COPY. */
  readonly copy: (
    table: string,
    names: readonly string[],
    rows: readonly Readonly<Record<string, unknown>>[],
  ) => Promise<void>
}

/** A slice of a table lies all over it: as much of one as this is not read again from files. */
const BUFFERS = "SET temp_buffers = '256MB'"

/** What stands for a bank among the locks of Postgres. */
const LOCK = "hashtextextended('reconciliation ' || :bank, 0)"

/**
 * Does `work` while nobody else reconciles the bank or corrects an item of it.
 * @returns undefined, and does nothing, when somebody does.
 */
export async function withBank<T>(
  db: Knex,
  bank: string,
  work: (session: Session) => Promise<T>,
): Promise<T | undefined> {
  const connection = (await db.client.acquireConnection()) as Pinned
  try {
    const session = sessionOn(db, connection)
    await session.run(BUFFERS)
    const [lock] = await session.run<{ free: boolean }>(
      `SELECT pg_try_advisory_lock(${LOCK}) AS free`,
      { bank },
    )
    return lock?.free === true ? await work(session) : undefined
  } finally {
    await cleared(db, connection)
    await db.client.releaseConnection(connection)
  }
}

/** The same for a transaction: waits for the lock as long as for any other, and no longer. */
export async function lockBank(trx: Knex.Transaction, bank: string): Promise<void> {
  await trx.raw(`SELECT pg_advisory_xact_lock(${LOCK})`, { bank })
}

type Pinned = Parameters<Copy>[0] & { __knex__disposed?: unknown }

/** Whoever gets the connection next finds nothing; one that cannot be cleared is thrown away. */
async function cleared(db: Knex, connection: Pinned): Promise<void> {
  try {
    await db.raw('DISCARD TEMP').connection(connection)
    await db.raw('SELECT pg_advisory_unlock_all()').connection(connection)
  } catch (error) {
    connection.__knex__disposed = error
  }
}

function sessionOn(db: Knex, connection: Pinned): Session {
  return {
    async run(sql, bindings = {}) {
      const { rows } = await db.raw(sql, bindings as never).connection(connection)
      return rows
    },
    transaction: (work) => db.transaction(work, { connection }),
    copy: async (table, names, rows) => void (await copyOfText(table, names, rows)(connection)),
  }
}
