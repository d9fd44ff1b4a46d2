/** The processes as they are deployed, with a bank that takes files; it runs in the test. */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFileBank } from '../../adapters/iso20022/sandbox/bank.ts'
import type { Knex } from 'knex'
import { connect } from '../../ledger/index.ts'
import { inherited } from '../../services/config.ts'
import { type Kept, keep } from '../torture/kept.ts'
import { until } from './abuse.ts'
import { newKey, tokenOf, type Who } from './api.ts'
import { configIn } from './iso20022-bank.ts'
import { freePort } from './ports.ts'
import { world } from './world.ts'

export const BANK = 'files'
export const CUSTOMER = { number: 'DE89370400440532013000', holder: 'Ada Lovelace' }

/** Whoever is killed while it fetches keeps the others away until its lease ends, after 15 s. */
export const PATIENCE_MS = 90_000

export type FileTown = Awaited<ReturnType<typeof openFileTown>>

/** An API and two workers, on a database of their own. */
export async function openFileTown() {
  // What is flushed to a disk after each step takes the test longer than all the rest.
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const { newDatabase, environment } = await world()
  const [{ url }, folder, port] = [
    await newDatabase(),
    await mkdtemp(join(memory, 'florin-files-')),
    await freePort(),
  ]
  const { accounts, ...config } = { ...configIn(folder), currencies: ['EUR'] }
  const journalFile = join(folder, 'bank', 'journal.jsonl')
  const bank = await startFileBank({
    ...{ name: BANK, folder, accounts, journalFile, delay_ms: 50, poll_ms: 50 },
    customers: [{ ...CUSTOMER, currency: 'EUR', balance: 1_000_000n }],
  })
  const env = {
    ...{ ...inherited(), ...inherited(environment), LOG_LEVEL: 'warn', REDIS_URL: '' },
    BANKS: JSON.stringify([{ ...config, accounts: { EUR: accounts['EUR'] } }]),
    ...{ FILES_EVERY_MS: '500', BATCH_AFTER_MS: '0', SWEEP_EVERY_MS: '500', WORKER_PORT: '0' },
  }
  const separator = url.includes('?') ? '&' : '?'
  const start = (name: string, script: string) =>
    keep({
      ...{ name, script: new URL(`../../services/${script}`, import.meta.url) },
      logFile: join(folder, `${name}.log`),
      // By its name at Postgres we know whose transaction waits there.
      env: { ...env, PORT: `${port}`, DATABASE_URL: `${url}${separator}application_name=${name}` },
    })
  const parts = await Promise.all([
    ...[start('api', 'api.ts'), start('worker-1', 'worker.ts'), start('worker-2', 'worker.ts')],
  ])
  const workers = parts.slice(1)
  // Nobody but the test may hold a lock for as long as the test wants.
  const timeouts = { idleInTransaction_ms: PATIENCE_MS, transaction_ms: PATIENCE_MS }
  const db = connect({
    ...{ url, connectionsMax: 3, applicationName: 'test' },
    timeouts: { statement_ms: PATIENCE_MS, lock_ms: PATIENCE_MS, ...timeouts },
  })
  return {
    ...{ db, bank, folder, journalFile, workers, ask: askAt(`http://127.0.0.1:${port}`) },
    killAt: killerAt(db, workers),
    async close() {
      await Promise.all(parts.map((one) => one.stop()))
      await Promise.all([bank.stop(), db.destroy()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Somebody who is kept waiting by us, at a table that we let nobody write to. */
const WAITING = `
  SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE NOT granted AND relation = ?::regclass AND application_name = ANY (?)`

/**
 * Kills the worker that comes to write to the table, in the middle of its transaction: when
 * `isTime`, for one that waits for too long tries it again. @returns the one that lives.
 */
const killerAt =
  (db: Knex, workers: readonly Kept[]) =>
  async (table: string, isTime: () => Promise<boolean>): Promise<{ readonly other: Kept }> => {
    const locking = await db.transaction()
    try {
      await locking.raw('LOCK TABLE ?? IN SHARE MODE', [table])
      let victim: Kept | undefined
      await until(async () => {
        if (!(await isTime())) return false
        const { rows } = await db.raw(WAITING, [table, workers.map(({ name }) => name)])
        victim = workers.find(({ name }) => name === rows[0]?.name)
        victim?.kill()
        return victim !== undefined
      }, PATIENCE_MS)
      const other = workers.find((one) => one !== victim)
      if (other === undefined) throw new Error('there is only one worker')
      return { other }
    } finally {
      await locking.rollback()
    }
  }

/** The files in a folder of the exchange, or of what the bank took, with their names. */
export const filesIn = async (...path: readonly string[]) => {
  const folder = join(...path)
  const names = await readdir(folder)
  return Promise.all(
    names.sort().map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })),
  )
}

const askAt =
  (url: string) =>
  async (who: Who, method: 'GET' | 'POST' | 'PUT', path: string, body?: object) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await tokenOf(who)}`,
        ...(method === 'POST' && { 'idempotency-key': newKey() }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
