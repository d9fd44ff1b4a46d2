/** A worker that dies in the middle of its work, at a step that the test chooses. */
import type { Context } from '../../services/context.ts'
import type { PaperBank } from './paper-bank.ts'

export class Died extends Error {}

/** Of whoever asks the database; `simulation/` knows several, `dying` one. */
export interface Mortality {
  /** Whether whoever asks now is dead. */
  readonly isDead: () => boolean
  /** After a statement whose result may never be learned. @throws {Died} */
  readonly step: () => void
  /** Statements that are no step. */
  readonly spared?: RegExp
}

const ROLLBACK = /^rollback/i
const COMMIT = /^commit/i

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
 * after what the bank does. So at 1, 2, 3 ... it dies at each `await` once.
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
  stepThrough(context, { isDead: () => dead, step })
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

/** From now on whoever uses this database may die of it. */
export function stepThrough(context: Pick<Context, 'db'>, mortality: Mortality): void {
  const pool = context.db.client as Pool
  const acquire = pool.acquireConnection.bind(pool)
  const known = new WeakSet<Connection>()
  pool.acquireConnection = async () => {
    if (mortality.isDead()) throw new Died()
    const connection = await acquire()
    if (!known.has(connection)) connection.query = mortal(connection, mortality)
    known.add(connection)
    return connection
  }
}

/** Nothing of a dead process is done any more; Postgres rolls back what it left open. */
function mortal(connection: Connection, { isDead, step, spared }: Mortality): Query {
  const query: Query = connection.query.bind(connection)
  return (asked, ...rest) => {
    const [text, last] = [typeof asked === 'string' ? asked : asked.text, rest.at(-1)]
    if (ROLLBACK.test(text) || typeof last !== 'function') return query(asked, ...rest)
    const [done, values] = [last as Callback, rest.slice(0, -1)]
    if (isDead()) {
      if (COMMIT.test(text)) return query('ROLLBACK', () => done(new Died()))
      return process.nextTick(done, new Died())
    }
    if (spared?.test(text) === true) return query(asked, ...rest)
    return query(asked, ...values, (error: unknown, result: unknown) => {
      try {
        step()
      } catch (death) {
        done(death)
        return
      }
      done(error, result)
    })
  }
}
