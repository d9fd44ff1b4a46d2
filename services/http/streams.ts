/** Answers of any length: bounded in memory, in number, and in how long a client may do nothing. */
import { Readable } from 'node:stream'
import type Koa from 'koa'
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'
import type { Streamed } from './endpoint.ts'

/** Each reads from the database again and again, which others need too. */
const AT_ONCE_MAX = 8
/** Nobody alone can keep the others from theirs. */
const OF_ONE_OWNER_MAX = 4
/** A client that reads nothing for so long is gone. */
const STALLED_MAX_MS = 30_000

export interface Streams {
  /** @throws {ServiceError} `saturated` when too many are written, all told or to the owner. */
  readonly answer: (ctx: Koa.Context, owner: string, streamed: Streamed) => void
}

/** How many at a time: of documents, and of those that go on for as long as anybody reads. */
const limitsOf = (config: Config, isLive: boolean) =>
  isLive
    ? { inAll: config.EVENT_STREAMS_MAX, ofOne: config.EVENT_STREAMS_PER_CALLER }
    : { inAll: AT_ONCE_MAX, ofOne: OF_ONE_OWNER_MAX }

export function openStreams(config: Config): Streams {
  /** Whose they are that are being written. */
  const [documents, live]: [string[], string[]] = [[], []]
  return {
    answer(ctx, owner, { status, contentType, fileName, stream }) {
      const running = fileName === undefined ? live : documents
      const { inAll, ofOne } = limitsOf(config, running === live)
      const ofOwner = running.filter((one) => one === owner).length
      if (running.length >= inAll || ofOwner >= ofOne) {
        throw new ServiceError('saturated', { retryAfter_s: 5 })
      }
      // Whoever has left already would never be counted down again.
      if (ctx.res.destroyed) return
      running.push(owner)
      const leave = () => running.splice(running.indexOf(owner), 1)
      ctx.res.once('close', leave).setTimeout(STALLED_MAX_MS)
      ctx.status = status
      ctx.type = contentType
      if (fileName !== undefined) ctx.attachment(fileName)
      // Koa pipes it: the next chunk is made when this one is on its way, and none for nobody.
      ctx.body = Readable.from(stream, { highWaterMark: 1 })
    },
  }
}
