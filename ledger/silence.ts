/**
 * Ends connections on which Postgres has become silent.
 *
 * Where a machine is gone, or something on the way has forgotten the connection, nothing says so: a
 * question that is under way would be waited for until the system gives up, a quarter of an hour
 * later, or for ever. Postgres itself ends every statement after its timeout, so that whoever has
 * heard nothing for longer will hear nothing more.
 */
import type { Socket } from 'node:net'
import { setInterval as every } from 'node:timers'
import type pg from 'pg'

/** For the way there and back, beside what a statement may take. */
export const WAY_MS = 5_000
/** Between looks: whoever was stopped meanwhile finds an answer before it looks twice. */
const LOOK_EVERY_MS = 1_000

/** What a transaction says that takes longer: it is waited for. */
const PATIENT = 'SET LOCAL statement_timeout'
const ENDED = /^(?:commit|rollback)\s*;?$/i

/** @param statement_ms what Postgres gives any statement. */
export function endWhenSilent(connection: pg.ClientBase, statement_ms: number): void {
  const stream = streamOf(connection)
  let [isAsked, isPatient, silent_ms] = [false, false, 0]
  const { query } = connection as { query: (...given: unknown[]) => unknown }
  const watched = (...given: unknown[]): unknown => {
    const text = textOf(given[0])
    if (text.includes(PATIENT)) isPatient = true
    else if (isPatient && ENDED.test(text)) isPatient = false
    isAsked = true
    return query.apply(connection, given)
  }
  Object.assign(connection, { query: watched })
  const heard = () => void (silent_ms = 0)
  const looking = every(() => {
    silent_ms = isAsked && !isPatient ? silent_ms + LOOK_EVERY_MS : 0
    if (silent_ms > statement_ms + WAY_MS) stream.destroy(silence())
  }, LOOK_EVERY_MS).unref()
  stream.on('data', heard).once('close', () => clearInterval(looking))
  // Whoever asks is told. An event besides that nobody listens for would end the process.
  connection.on('error', () => {})
  connection.on('drain', () => void (isAsked = false))
}

/** The socket of a connection, which `pg` keeps to itself. */
export const streamOf = (connection: pg.ClientBase): Socket =>
  (connection as unknown as { connection: { stream: Socket } }).connection.stream

/** As the system says it of a connection, when it gives up. */
const silence = () => Object.assign(new Error('Postgres is silent'), { code: 'ETIMEDOUT' })

function textOf(asked: unknown): string {
  const text = typeof asked === 'string' ? asked : (asked as { readonly text?: unknown }).text
  return typeof text === 'string' ? text : ''
}
