/** Books that were kept by an earlier version are carried over, and are still right. */
import { expect } from 'chai'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { audit, connect, migrate, newId, newUnitId } from '../ledger/index.ts'
import { EMPTY } from './support/postgres.ts'
import { world } from './support/world.ts'

const FOLDER = new URL('../ledger/migrations/', import.meta.url)
const EARLIER = ['0001_accounts_and_transfers.sql', '0002_roles.sql']

/** Money that came, a hold that was posted, one that was voided, and one that is open. */
const PAST = (id: () => string) => {
  const [bank, wallet, posted, voided, open] = [id(), id(), id(), id(), id()]
  const row = (own: string, kind: string, amount: number, n: number, after: number, of?: string) =>
    `('${own}', '${kind}', '${bank}', '${wallet}', ${amount}, 'EUR', 'test', '${newId()}', now(),
      ${n}, ${n}, ${after}, ${after}, ${of === undefined ? 'NULL' : `'${of}'`})`
  return `
    INSERT INTO accounts (id, type, owner, currency, normal_side, floor, debits_posted,
           credits_posted, debits_pending, credits_pending, last_entry)
    VALUES ('${bank}', 'bank', 'b', 'EUR', 'debit', NULL, 140, 0, 5, 0, 6),
           ('${wallet}', 'wallet', 'w', 'EUR', 'credit', 0, 0, 140, 0, 5, 6);
    INSERT INTO transfers (id, kind, debit_account_id, credit_account_id, amount, currency, code,
           reference, effective_at, debit_entry, credit_entry, debit_balance, credit_balance,
           pending_id)
    VALUES ${[
      row(id(), 'single', 100, 1, 100),
      row(posted, 'pending', 40, 2, 100),
      row(voided, 'pending', 30, 3, 100),
      row(id(), 'post', 40, 4, 140, posted),
      row(id(), 'void', 30, 5, 140, voided),
      row(open, 'pending', 5, 6, 140),
    ].join(', ')}`
}

const BUSINESS = new URL('../services/migrations/', import.meta.url)

describe('an upgrade', () => {
  it('lets the subject of a merchant act for it still', async () => {
    const { newDatabase } = await world()
    const { url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 3, applicationName: 'test upgrade' })
    const folder = await mkdtemp(join(tmpdir(), 'florin-upgrade-'))
    try {
      const earlier = (await readdir(BUSINESS)).filter((name) => name < '0106')
      for (const name of earlier) await cp(new URL(name, BUSINESS), join(folder, name))
      await migrate(db, [FOLDER, pathToFileURL(`${folder}/`)])
      const shop = { id: newId(), subject: 'cafe', name: 'Café', created_at: new Date() }
      await db('merchants').insert(shop)
      await migrate(db, [FOLDER, BUSINESS])
      const [staff] = await db('merchant_staff').select()
      expect(staff).to.deep.include({
        ...{ merchant_id: shop.id, issuer: '', subject: 'cafe', removed_at: null },
        rights: ['read', 'write'],
      })
    } finally {
      await db.destroy()
      await rm(folder, { recursive: true })
    }
  })

  it('carries over what was posted, voided and held', async () => {
    const { newDatabase } = await world()
    const { url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 3, applicationName: 'test upgrade' })
    const folder = await mkdtemp(join(tmpdir(), 'florin-upgrade-'))
    try {
      for (const name of EARLIER) await cp(new URL(name, FOLDER), join(folder, name))
      await migrate(db, [pathToFileURL(`${folder}/`)])
      await db.raw(PAST(newUnitId))
      await migrate(db, [FOLDER])
      expect((await audit(db)).violations).to.deep.equal([])
      const resolved = await db('transfers').whereNotNull('pending_id').pluck('resolution')
      expect(resolved).to.deep.equal([1n, 1n])
    } finally {
      await db.destroy()
      await rm(folder, { recursive: true })
    }
  })
})
