/** COPY TO STDOUT in binary, a tuple at a time: the fastest way out of Postgres. */
import type { Knex } from 'knex'
import type pg from 'pg'

/** The parts of a connection of `pg` that its own queries use as well. */
interface Wire {
  query(text: string): void
  readonly stream: { pause(): void; resume(): void }
}

const HEADER_BYTES = 19
const TRAILER = -1

/**
 * Calls `onTuple` with each tuple, whose bytes are its own only until it returns. While a promise
 * that it returned is pending, reading is paused; some tuples that have been read still come.
 * Resolves when all are read and all promises have resolved.
 */
export async function copyOut(
  db: Knex,
  query: string,
  onTuple: (tuple: Buffer) => Promise<void> | undefined,
): Promise<void> {
  const connection = (await db.client.acquireConnection()) as pg.Client
  try {
    await new Promise<void>((resolve, reject) => {
      connection.query(copying(query, onTuple, resolve, reject) as never)
    })
  } finally {
    await db.client.releaseConnection(connection)
  }
}

/** What `pg` calls while the query runs. A failure of ours waits for the end of the query. */
function copying(
  query: string,
  onTuple: (tuple: Buffer) => Promise<void> | undefined,
  resolve: () => void,
  reject: (error: unknown) => void,
) {
  let isFirst = true
  let failure: { readonly error: unknown } | undefined
  const pending: Promise<void>[] = []
  const fail = (error: unknown) => (failure ??= { error })
  const take = (tuple: Buffer, { stream }: Wire) => {
    if (tuple.readInt16BE(0) === TRAILER || failure !== undefined) return
    const wait = onTuple(tuple)
    if (wait === undefined) return
    stream.pause()
    pending.push(wait.catch(fail).then(() => stream.resume()))
  }
  return {
    submit: (wire: Wire) => wire.query(`COPY (${query}) TO STDOUT (FORMAT binary)`),
    handleCopyData({ chunk }: { chunk: Buffer }, wire: Wire) {
      // The header comes in one message with the first tuple.
      const tuple = isFirst ? chunk.subarray(HEADER_BYTES) : chunk
      isFirst = false
      try {
        take(tuple, wire)
      } catch (error) {
        fail(error)
      }
    },
    handleError: (error: Error) => {
      fail(error)
      reject(error)
    },
    handleCommandComplete() {},
    handleReadyForQuery() {
      void Promise.all(pending).then(() => (failure ? reject(failure.error) : resolve()))
    },
  }
}
