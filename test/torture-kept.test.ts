/** What people were told, held against a real database: keys alone would let money be missing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { run } from './bench/server.ts'
import { keptIn, ownedIn } from './torture/load/kept-promises.ts'
import type { Note } from './torture/load/owned.ts'
import { world } from './support/world.ts'

/** As a payment would be whose money nobody has moved. */
const HOLLOW = (key: string) => `
  SET session_replication_role = replica;
  INSERT INTO payments (id, kind, state, payer_id, payee_id, transfer_id, amount, fee, tax, net,
      currency, approval, approval_digest, created_at, changed_at, idempotency_key)
    VALUES ('${newId()}', 'person', 'completed', '${newId()}', '${newId()}', '${newId()}',
      1, 0, 0, 1, 'EUR', 'none', '', now(), now(), '${key}')`

describe('what is kept of what people were told', () => {
  let folder: string
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'florin-kept-'))))
  after(() => rm(folder, { recursive: true }))

  async function keptOf(url: string, notes: readonly Note[]) {
    const [journalFile, log] = [join(folder, 'client.jsonl'), join(folder, 'postgres.log')]
    await writeFile(journalFile, notes.map((note) => `${JSON.stringify(note)}\n`).join(''))
    await writeFile(log, 'LOG:  database system is ready to accept connections\n')
    const said: string[] = []
    const say = (line: string) => void said.push(line)
    const evidence = { url, journalFile, logFiles: [log], before: await ownedIn(url), say }
    return { ...(await keptIn(evidence)), said: said.length }
  }

  const asked = { asks: 'k1', from: 'ada', to: 'bob', amount: '1' }
  const FINE = { lost: 0, duplicated: 0, invented: 0, balances_wrong: 0, violations: 0 }

  it('is all, where nothing was promised', async () => {
    const { url } = await (await world()).newDatabase()
    const kept = await keptOf(url, [asked, { answered: 'k1', status: 402 }])
    expect(kept).to.deep.equal({ ...FINE, deadlocks: 0, payments: 0, said: 0 })
  })

  it('is neither the payment nor the money, where nothing is there', async () => {
    const { url } = await (await world()).newDatabase()
    const kept = await keptOf(url, [asked, { answered: 'k1', status: 201 }])
    expect(kept).to.include({ ...FINE, lost: 1, balances_wrong: 2, said: 2 })
  })

  it('is no money, where only the payment is there: by balances, and by the business', async () => {
    const { url } = await (await world()).newDatabase()
    await run(url, HOLLOW('k1'))
    const kept = await keptOf(url, [asked, { answered: 'k1', status: 201 }])
    expect(kept).to.include({ lost: 0, duplicated: 0, invented: 0, balances_wrong: 2 })
    expect(kept.violations).to.be.greaterThan(0)
    expect(kept.said).to.equal(kept.violations + 2)
  })

  it('is more than was asked for, where somebody else paid, or somebody twice', async () => {
    const { url } = await (await world()).newDatabase()
    for (const key of ['k1', 'k1', 'k2']) await run(url, HOLLOW(key))
    const kept = await keptOf(url, [asked, { answered: 'k1', status: 201 }])
    expect(kept).to.include({ lost: 0, duplicated: 1, invented: 1, payments: 3 })
  })
})
