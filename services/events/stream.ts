/**
 * Events as they happen, as Server-Sent Events. Each is made when the one before it has been read:
 * a slow reader waits in the table, not in memory. Source: WHATWG HTML, section 9.2.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import type { EventType } from './catalogue.ts'
import { type EventReader, eventOut } from './events.ts'
import { type Place, placeNow, placeOf, type TailRow } from './order.ts'

/**
 * So often at least something is said, so that whoever listens knows that we are there; less than
 * the time after which a connection on which nothing moves is cut.
 */
const HEARTBEAT_MS = 15_000

export interface Following {
  readonly reader: EventReader
  /** Whose events; undefined for all. */
  readonly merchant: Uuid | undefined
  /** The last event that was read; undefined to begin now. */
  readonly last: Uuid | undefined
  readonly isWanted: (type: EventType) => boolean
  /** How long it may last. */
  readonly most_ms: number
  readonly heartbeat_ms?: number
}

/** @throws {ServiceError} `not_found` for a last event that is none of theirs. */
export async function followEvents(
  context: Context,
  following: Following,
): Promise<AsyncGenerator<string>> {
  const { db } = context
  const { merchant, last } = following
  // Before the newest: what happens between the two is told.
  const now = await placeNow(db)
  const place = await placeOf(db, { id: last, merchant })
  if (last !== undefined && place === undefined) throw new ServiceError('not_found')
  return told(context, following, last === undefined ? now : (place ?? now), place)
}

async function* told(
  context: Context,
  { reader, merchant, isWanted, most_ms, heartbeat_ms = HEARTBEAT_MS }: Following,
  from: Place,
  known: Place | undefined,
): AsyncGenerator<string> {
  const { tail } = context
  const until_ms = performance.now() + most_ms
  const isMine = (row: TailRow) => merchant === undefined || row.merchant === merchant
  const leave = await tail.follow()
  try {
    // Who loses the connection before anything has happened can say from where to go on.
    const since = known === undefined ? '' : `id: ${publicId('evt', known.id)}\n`
    yield `retry: 1000\n${since}\n`
    let [place, said_ms] = [from, performance.now()]
    while (performance.now() < until_ms && !tail.isClosed()) {
      const rows = await tail.after(place)
      for (const row of rows) {
        place = row
        if (!isMine(row) || !isWanted(row.event.type)) continue
        yield await textOf(context, row, reader)
        said_ms = performance.now()
      }
      // Beside much that is told to others too.
      if (performance.now() - said_ms >= heartbeat_ms) {
        yield ':\n\n'
        said_ms = performance.now()
      }
      if (rows.length > 0) continue
      const silent_ms = performance.now() - said_ms
      const wait_ms = Math.min(heartbeat_ms - silent_ms, until_ms - performance.now())
      await tail.wait(Math.max(1, Math.ceil(wait_ms)))
    }
  } finally {
    leave()
  }
}

async function textOf(
  context: Context,
  { id, event }: TailRow,
  reader: EventReader,
): Promise<string> {
  const data = await showPeople(context, JSON.stringify(eventOut(event, reader)))
  return `id: ${publicId('evt', id)}\ndata: ${data}\n\n`
}
