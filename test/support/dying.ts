/** A worker that dies in the middle of its work, at a step that the test chooses. */
import type { Context } from '../../services/context.ts'
import type { PaperBank } from './paper-bank.ts'

class Died extends Error {}

/**
 * Nothing of a dead process is done any more; Postgres rolls back what it left open. Who has begun
 * a transaction has done nothing yet; dying there would leave it open on a connection that lives.
 */
const NO_STEP = /^(?:begin|rollback)/i

type Callback = (error: unknown, result?: unknown) => void
type Query = (asked: string | { readonly text: string }, ...rest: unknown[]) => unknown

interface Connection {
  query: Query
}

interface Pool {
  acquireConnection: () => Promise<Connection>
}

/**
 * It dies after its `at`th step: a statement whose result it never learns, or something before or
 * after what the bank does. So at 1, 2, 3 ... it dies at each `await` once. The database of
 * `context` is good for nothing else afterwards.
 */
export async function dying(
  context: Context,
  bank: PaperBank,
  at: number,
  work: () => Promise<unknown>,
): Promise<{ readonly died: boolean }> {
  let [steps, dead] = [0, false]
  const step = () => {
    steps += 1
    dead ||= steps === at
    if (dead) throw new Died()
  }
  stepThrough(context, step)
  bank.step = step
  try {
    await work()
  } catch (error) {
    if (!dead) throw error
  } finally {
    bank.step = () => {}
  }
  return { died: dead }
}

/** From now on `step` is called after each statement, and may throw what its caller then gets. */
export function stepThrough(context: Context, step: () => void): void {
  const pool = context.db.client as Pool
  const acquire = pool.acquireConnection.bind(pool)
  const known = new WeakSet<Connection>()
  pool.acquireConnection = async () => {
    const connection = await acquire()
    if (!known.has(connection)) connection.query = mortal(connection, step)
    known.add(connection)
    return connection
  }
}

function mortal(connection: Connection, step: () => void): Query {
  const query: Query = connection.query.bind(connection)
  return (asked, ...rest) => {
    const [text, last] = [typeof asked === 'string' ? asked : asked.text, rest.at(-1)]
    if (NO_STEP.test(text) || typeof last !== 'function') return query(asked, ...rest)
    const [done, values] = [last as Callback, rest.slice(0, -1)]
    return query(asked, ...values, (error: unknown, result: unknown) => {
      try {
        step()
        done(error, result)
      } catch (death) {
        done(death)
      }
    })
  }
}
