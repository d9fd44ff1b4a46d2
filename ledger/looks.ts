/**
 * Looking things up for many callers at once: whatever was asked while the last flight was away
 * goes with the next one, each kind of question as one statement, all of them in one round trip.
 */
import type pg from 'pg'
import type { Connection } from './database.ts'

/** Something that is asked about many keys by one statement. Declared once, not for each asking. */
export interface Question<K, V> {
  /** Of the prepared statement. */
  readonly name: string
  readonly text: string
  readonly values: (keys: readonly K[]) => readonly unknown[]
  /** What is not in it, is not there. */
  readonly answers: (rows: readonly unknown[]) => ReadonlyMap<K, V>
}

export interface Looks {
  /** Nothing is remembered: who asks sees what was committed before they asked. */
  readonly ask: <K, V>(question: Question<K, V>, key: K) => Promise<V | undefined>
}

interface Asked {
  readonly key: unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** One statement asks about so many at most; the others go with the next flight. */
const KEYS_MAX = 1_024

export function openLooks(pool: pg.Pool): Looks {
  let waiting = new Map<Question<unknown, unknown>, Asked[]>()
  let isAway = false

  async function fly(): Promise<void> {
    isAway = true
    // One connection for as long as there is something to ask.
    let connection: pg.PoolClient | undefined
    while (waiting.size > 0) {
      const ours = waiting
      waiting = new Map()
      connection = await flight(pool, connection, ours)
    }
    connection?.release()
    isAway = false
  }

  return {
    ask: <K, V>(question: Question<K, V>, key: K) =>
      new Promise<V | undefined>((resolve, reject) => {
        const kind = question as Question<unknown, unknown>
        const asked = { key, resolve: resolve as Asked['resolve'], reject }
        const others = waiting.get(kind)
        if (others === undefined) waiting.set(kind, [asked])
        else others.push(asked)
        // Everything asked in one turn of the event loop flies together.
        if (!isAway && waiting.size === 1 && others === undefined) setImmediate(() => void fly())
      }),
  }
}

/**
 * Never throws: who cannot be answered is told.
 * @returns the connection, if the next flight may use it.
 */
async function flight(
  pool: pg.Pool,
  open: pg.PoolClient | undefined,
  questions: ReadonlyMap<Question<unknown, unknown>, readonly Asked[]>,
): Promise<pg.PoolClient | undefined> {
  try {
    const connection = open ?? (await pool.connect())
    const link: Connection = connection
    const parts = [...questions].flatMap(([kind, asked]) => answer(link, kind, asked))
    const answered = await Promise.all(parts)
    if (!answered.includes(false)) return connection
    connection.release(true)
  } catch (error) {
    for (const asked of questions.values()) for (const { reject } of asked) reject(error)
  }
  return undefined
}

/** Resolves to whether each part was answered. */
function answer(
  connection: Connection,
  { name, text, values, answers }: Question<unknown, unknown>,
  asked: readonly Asked[],
): Promise<boolean>[] {
  const parts = Math.ceil(asked.length / KEYS_MAX)
  return Array.from({ length: parts }, async (_, part) => {
    const ours = asked.slice(part * KEYS_MAX, (part + 1) * KEYS_MAX)
    const keys = [...new Set(ours.map(({ key }) => key))]
    try {
      const { rows } = await connection.query({ name, text, values: [...values(keys)] })
      const found = answers(rows)
      for (const { key, resolve } of ours) resolve(found.get(key))
      return true
    } catch (error) {
      for (const { reject } of ours) reject(error)
      return false
    }
  })
}
