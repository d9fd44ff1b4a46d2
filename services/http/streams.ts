/** Answers of any length: bounded in memory, in number, and in how long a client may do nothing. */
import { Readable } from 'node:stream'
import type Koa from 'koa'
import { ServiceError } from '../errors.ts'
import type { Streamed } from './endpoint.ts'

/** Each reads from the database again and again, which others need too; one for each caller. */
const AT_ONCE_MAX = 8
/** A client that reads nothing for so long is gone. */
const STALLED_MAX_MS = 30_000

export interface Streams {
  /** @throws {ServiceError} `saturated` when too many are being written, or one to this owner. */
  readonly answer: (ctx: Koa.Context, owner: string, streamed: Streamed) => void
}

export function openStreams(): Streams {
  const running = new Set<string>()
  return {
    answer(ctx, owner, { status, contentType, fileName, stream }) {
      if (running.size >= AT_ONCE_MAX || running.has(owner)) {
        throw new ServiceError('saturated', { retryAfter_s: 5 })
      }
      // Whoever has left already would never be counted down again.
      if (ctx.res.destroyed) return
      running.add(owner)
      ctx.res.once('close', () => running.delete(owner)).setTimeout(STALLED_MAX_MS)
      ctx.status = status
      ctx.type = contentType
      ctx.attachment(fileName)
      // Koa pipes it: the next chunk is made when this one is on its way, and none for nobody.
      ctx.body = Readable.from(stream, { highWaterMark: 1 })
    },
  }
}
