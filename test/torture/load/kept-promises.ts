/** What people were told, by their own journal, against what is in the books. */
import { readFileSync } from 'node:fs'
import { audit, connect } from '../../../ledger/index.ts'

export interface Kept {
  /** Told that they had paid, and nothing is there. */
  readonly lost: number
  /** Paid more than once under one key. */
  readonly duplicated: number
  /** There, and nobody ever asked for it. */
  readonly invented: number
  readonly violations: number
  readonly deadlocks: number
  readonly payments: number
}

interface Note {
  readonly asks?: string
  readonly answered?: string
  readonly status?: number
}

export async function keptIn(url: string, journalFile: string): Promise<Kept> {
  const notes: Note[] = readFileSync(journalFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  const asked = new Set(notes.map(({ asks }) => asks))
  const told = notes.filter(({ status }) => status === 201).map(({ answered }) => answered)
  const db = connect({ url, connectionsMax: 2, applicationName: 'torture' })
  try {
    const rows: { idempotency_key: string }[] = await db('payments').select('idempotency_key')
    const keys = rows.map((row) => row.idempotency_key)
    const there = new Set<string | undefined>(keys)
    const { rows: counted } = await db.raw(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    )
    const { violations } = await audit(db)
    return {
      lost: told.filter((key) => !there.has(key)).length,
      duplicated: keys.length - there.size,
      invented: keys.filter((key) => !asked.has(key)).length,
      ...{ violations: violations.length, payments: keys.length },
      deadlocks: Number(counted[0].deadlocks),
    }
  } finally {
    await db.destroy()
  }
}
