/**
 * Takes an uploaded statement in: compressed, in parts, straight into the database, so that any
 * worker may read it and no process holds more than a part of it.
 */
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { addRun, findRunOfFile, type Run, type Source } from './runs.ts'

const CHUNK_BYTES = 512 * 1024
/** Of one process: whoever is slow keeps others waiting, not the database. */
const AT_ONCE_MAX = 2
let receiving = 0

export interface Upload {
  readonly bank: string
  readonly source: Source
  readonly requestedBy: string
}

/**
 * @returns the reconciliation of the file: the one it had, when it was uploaded before.
 * @throws {ServiceError} `saturated`; and whatever the stream throws: then nothing is kept.
 */
export async function receiveStatement(
  context: Context,
  { bank, source, requestedBy }: Upload,
  stream: AsyncIterable<Buffer>,
): Promise<{ readonly run: Run; readonly isNew: boolean }> {
  if (receiving >= AT_ONCE_MAX) throw new ServiceError('saturated', { retryAfter_s: 5 })
  receiving += 1
  const [id, at] = [newId(), context.now()]
  try {
    const fileHash = await store(context, id, stream)
    const added = await addRun(context.db, { id, bank, source, requestedBy, fileHash, at })
    if (added !== undefined) return { run: added, isNew: true }
    const run = await findRunOfFile(context.db, bank, fileHash)
    if (run === undefined) throw new ServiceError('saturated', { retryAfter_s: 1 })
    await forget(context, id)
    return { run, isNew: false }
  } catch (error) {
    await forget(context, id)
    throw error
  } finally {
    receiving -= 1
  }
}

async function store(
  { db, now }: Context,
  upload: string,
  stream: AsyncIterable<Buffer>,
): Promise<Buffer> {
  const hash = createHash('sha256')
  let chunk = 0
  await pipeline(
    stream,
    async function* (bytes: AsyncIterable<Buffer>) {
      for await (const some of bytes) {
        hash.update(some)
        yield some
      }
    },
    createGzip({ level: 1 }),
    async (zipped: AsyncIterable<Buffer>) => {
      for await (const bytes of parts(zipped)) {
        await db('statement_files').insert({ upload_id: upload, chunk, bytes, received_at: now() })
        chunk += 1
      }
    },
  )
  return hash.digest()
}

async function* parts(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let [some, bytes]: [Buffer[], number] = [[], 0]
  for await (const one of stream) {
    some.push(one)
    bytes += one.length
    if (bytes < CHUNK_BYTES) continue
    yield Buffer.concat(some)
    ;[some, bytes] = [[], 0]
  }
  if (bytes > 0) yield Buffer.concat(some)
}

/** What cannot be forgotten now, the worker forgets. */
async function forget({ db, log }: Context, upload: string): Promise<void> {
  await db('statement_files')
    .where({ upload_id: upload })
    .delete()
    .catch((error: unknown) => log.warn({ err: error }, 'an upload is left over'))
}
