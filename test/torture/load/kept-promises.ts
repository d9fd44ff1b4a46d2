/** What people were told, by their own journal, against what is in the books. */
import { readFileSync } from 'node:fs'
import type { Knex } from 'knex'
import { audit, connect } from '../../../ledger/index.ts'
import { auditBusiness } from '../../../services/audit/audit.ts'
import { readBalances } from '../agree.ts'
import { type Balances, judgeBalances } from '../model.ts'
import { type Note, ownedAfter, toldIn } from './owned.ts'

export interface Kept {
  /** Told that they had paid, and nothing is there. */
  readonly lost: number
  /** Paid more than once under one key. */
  readonly duplicated: number
  /** There, and nobody ever asked for it. */
  readonly invented: number
  /** Accounts that hold more or less than they should, by what people were told. */
  readonly balances_wrong: number
  /** Of the books, and of what the business keeps beside them. */
  readonly violations: number
  readonly deadlocks: number
  readonly payments: number
}

interface Told {
  /** The owner's, of the database that counts in the end. */
  readonly url: string
  readonly journalFile: string
  /** Of every server that people's payments went to. */
  readonly logFiles: readonly string[]
  /** What everybody owned before anybody paid. */
  readonly before: Balances
  readonly say: (line: string) => void
}

/** What there is before anybody pays. */
export const ownedIn = (url: string): Promise<Balances> => within(url, readBalances)

export const keptIn = ({ url, journalFile, logFiles, before, say }: Told): Promise<Kept> =>
  within(url, async (db) => {
    const notes = notesIn(journalFile)
    const asked = new Set(notes.map(({ asks }) => asks))
    const rows: { idempotency_key: string }[] = await db('payments').select('idempotency_key')
    const keys = rows.map((row) => row.idempotency_key)
    const there = new Set(keys)
    const wrong = judgeBalances(ownedAfter(before, notes), await readBalances(db))
    const violations = [...(await audit(db)).violations, ...(await auditBusiness(db))]
    for (const { where } of wrong) say(`does not hold: ${where}`)
    for (const { invariant, subject } of violations) say(`does not hold: ${invariant}: ${subject}`)
    return {
      lost: [...toldIn(notes)].filter((key) => !there.has(key)).length,
      duplicated: keys.length - there.size,
      invented: keys.filter((key) => !asked.has(key)).length,
      ...{ balances_wrong: wrong.length, violations: violations.length, payments: keys.length },
      deadlocks: deadlocksIn(logFiles),
    }
  })

const notesIn = (journalFile: string): Note[] =>
  readFileSync(journalFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

async function within<T>(url: string, work: (db: Knex) => Promise<T>): Promise<T> {
  const db = connect({ url, connectionsMax: 2, applicationName: 'torture' })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/**
 * By the logs: a server forgets what it has counted when it is killed, and a replica has counted
 * nothing of what its primary did.
 * @throws {Error} where a log does not even say that its server was there.
 */
export function deadlocksIn(logFiles: readonly string[]): number {
  const logs = logFiles.map((file) => {
    const log = readFileSync(file, 'utf8')
    if (!log.includes('ready to accept')) throw new Error(`${file} is not the log of a server`)
    return log.split('deadlock detected').length - 1
  })
  return logs.reduce((sum, one) => sum + one, 0)
}
