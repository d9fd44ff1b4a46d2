/**
 * The drill: the disk with the data is lost while people pay. What is left is a backup of a running
 * server, what was archived of its log since, and the end of the log, which was on another disk.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type AccountId, audit, connect, stateAt, verifySeals } from '../ledger/index.ts'
import { type LocalPostgres, startPostgres } from '../services/local/postgres.ts'
import { sendSignal } from '../services/local/signals.ts'
import { letRolesLogIn, migrateAll } from '../services/migrations.ts'
import { until } from './support/abuse.ts'
import { openSealedBooks, type SealedBooks } from './support/seals.ts'

const RESTORED_WITHIN_MS = 15 * 60_000
const AT_ONCE = 20

describe('a database whose disk is lost', () => {
  let [folder, server, books]: [string, LocalPostgres?, SealedBooks?] = ['']
  const at = (name: string) => join(folder, name)
  const url = () => server!.url('postgres', 'florin')
  const pair: AccountId[] = []

  const copy = (from: string, to: string) => {
    const { status, stderr } = spawnSync('cp', ['-a', at(from), at(to)])
    expect(status, stderr.toString()).to.equal(0)
  }
  const start = (more: Readonly<Record<string, string>> = {}) =>
    startPostgres({
      dataDir: at('data'),
      settings: {
        archive_mode: 'on',
        archive_command: `test ! -f ${at('archive')}/%f && cp %p ${at('archive')}/%f`,
        ...more,
      },
    })

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'florin-drill-'))
    mkdirSync(at('archive'))
    chmodSync(at('archive'), 0o777)
    server = await start()
    const db = connect({ url: server.url('postgres', 'postgres'), ...SMALL })
    await db.raw('CREATE DATABASE florin')
    await db.destroy()
    await migrateAll(url())
    await letRolesLogIn(url(), {})
    books = await openSealedBooks({ url: url() })
    pair.push(await books.account('suspense'), await books.account('merchant'))
  })
  after(async () => {
    await books?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const SMALL = { connectionsMax: 1, applicationName: 'test' }

  /** @returns what to write beside what was copied. */
  async function backUp(owner: SealedBooks['owner']): Promise<string> {
    return owner.transaction(async (session) => {
      await session.raw("SELECT pg_backup_start('drill', fast => true)")
      copy('data', 'backup')
      const { rows } = await session.raw('SELECT labelfile FROM pg_backup_stop()')
      return rows[0].labelfile
    })
  }

  async function restore(label: string): Promise<void> {
    copy('backup', 'data')
    rmSync(at('data/postmaster.pid'))
    rmSync(at('data/pg_wal'), { recursive: true })
    copy('end-of-the-log', 'data/pg_wal')
    writeFileSync(at('data/backup_label'), label)
    writeFileSync(at('data/recovery.signal'), '')
    server = await start({ restore_command: `cp ${at('archive')}/%f "%p"` })
    const db = connect({ url: url(), ...SMALL })
    await until(async () => {
      const { rows } = await db.raw('SELECT pg_is_in_recovery() AS still')
      return rows[0].still === false
    })
    await db.destroy()
    await migrateAll(url())
  }

  /** The disk with the data is gone, and the one with the end of the log is not. */
  async function loseData(): Promise<void> {
    sendSignal(server!.pid, 'SIGKILL')
    await server!.exited
    renameSync(at('data/pg_wal'), at('end-of-the-log'))
    rmSync(at('data'), { recursive: true })
  }

  it('is back with all that was confirmed, and proves it', async () => {
    let confirmed = 0
    // Until the server is gone.
    const pay = async (): Promise<void> => {
      await books!.pay(AT_ONCE, [pair[0]!, pair[1]!])
      confirmed += AT_ONCE
      return pay()
    }
    const paying = pay().catch(() => {})
    await until(async () => confirmed >= AT_ONCE)
    const label = await backUp(books!.owner)
    const confirmedThen = confirmed
    await until(async () => confirmed > confirmedThen + AT_ONCE)
    await books!.owner.raw('SELECT pg_switch_wal()')
    await books!.seal()
    const { state: head } = await verifySeals(books!.owner)
    await until(async () => confirmed > confirmedThen + 3 * AT_ONCE)

    await loseData()
    await paying
    await books!.close()
    books = undefined
    const lost_ms = performance.now()
    await restore(label)
    const db = connect({ url: url(), connectionsMax: 3, applicationName: 'test' })
    try {
      expect((await audit(db)).violations).to.deep.equal([])
      const { violations, state } = await verifySeals(db)
      expect(violations).to.deep.equal([])
      expect(state.number >= head.number && head.number > 0).to.equal(true)
      expect(await stateAt(db, head.number)).to.deep.equal(head)
      expect(performance.now() - lost_ms).to.be.lessThan(RESTORED_WITHIN_MS)
      const { rows } = await db.raw('SELECT count(*)::int AS paid FROM transfers')
      // What was on its way when the server died may have been confirmed by nobody.
      expect(rows[0].paid).to.be.within(confirmed, confirmed + AT_ONCE)
    } finally {
      await db.destroy()
    }
    books = await openSealedBooks({ url: url() })
    await books.pay(AT_ONCE, [pair[0]!, pair[1]!])
    await books.seal()
    const { violations, unsealed } = await verifySeals(books.owner)
    expect([violations, unsealed]).to.deep.equal([[], 0])
  })
})
