/** What is sealed in the database: all of it is known, moves to new keys, opens in its place. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import type { BankAdapter } from '../adapters/adapter.ts'
import { connect, migrate, newId } from '../ledger/index.ts'
import { detailsOf, findBankAccount, linkBankAccount } from '../services/banking/bank_accounts.ts'
import { inherited } from '../services/config.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { erase } from '../services/privacy/erasure.ts'
import { findPersonKey, namePlace, openForPerson } from '../services/privacy/person_keys.ts'
import { showPeople } from '../services/privacy/shown.ts'
import { carryOver } from '../services/vault/carry_over.ts'
import { rotate } from '../services/vault/rotate.ts'
import { SEALED_COLUMNS } from '../services/vault/sealed.ts'
import { kidOf, openVault, VaultError } from '../services/vault/vault.ts'
import { call } from './support/api.ts'
import { dumpOf, leaksOf } from './support/dump.ts'
import { linkedAccount, payment, person } from './support/people.ts'
import { EMPTY } from './support/postgres.ts'
import { KEYS, world } from './support/world.ts'

const [OLD] = JSON.parse(KEYS.DATA_KEYS) as [{ kid: string; key: string }]
const NEW = { kid: 'newer', key: Buffer.alloc(32, 77).toString('base64') }
const keysOf = (...keys: { kid: string; key: string }[]) => ({
  dataKeys: keys.map(({ kid, key }) => ({ kid, key: Buffer.from(key, 'base64') })),
  blindIndexKey: Buffer.from(KEYS.BLIND_INDEX_KEY, 'base64'),
})

/** A copy of this world’s database, as it is now, to do with what one likes. */
async function copyOfWorld() {
  const { owner, url } = await world()
  const copy = await (await world()).newDatabase()
  const db = connect({ url: copy.url, connectionsMax: 4, applicationName: 'test sealed' })
  for (const table of ['people', 'person_keys', 'bank_accounts']) {
    const rows = await owner(table).select()
    for (const row of rows) await db(table).insert(row).onConflict().ignore()
  }
  expect(url).not.to.equal(copy.url)
  return { db, url: copy.url }
}

async function somethingSealed() {
  const [ada, ben] = [await person(1_000n), await person()]
  const account = uuidOf(await linkedAccount(ada))
  const body = payment(ben, '1', { note: 'A note that is sealed' })
  const paid = await call(ada, 'POST', '/v1/payments', { body })
  expect(paid.status, paid.text).to.equal(201)
  return { ada, account, payment: uuidOf(paid.body.id) }
}

describe('what is sealed', () => {
  it('is all on the list: every column of the database that says it is', async () => {
    const { owner } = await world()
    const { rows } = await owner.raw<{ rows: { name: string }[] }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name ~ '(^|_)sealed$'
        ORDER BY 1`,
    )
    const listed = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`)
    expect(rows.map(({ name }) => name)).to.deep.equal([...listed].sort())
  })

  it('opens nowhere but in its row and column', async () => {
    const { api, owner } = await world()
    const [one, other] = [await somethingSealed(), await somethingSealed()]
    const swap = async (columns: object, id: string) =>
      owner('bank_accounts').where({ id }).update(columns)
    const row = await owner('bank_accounts').where({ id: one.account }).first()
    const { number_sealed, holder_sealed } = row
    const theirs = await owner('bank_accounts').where({ id: other.account }).first()
    await swap({ number_sealed }, other.account)
    expect(() => detailsOf(api, { ...account(row), id: other.account })).to.throw(VaultError)
    const listed = await call(other.ada, 'GET', '/v1/bank_accounts')
    expect(listed.status).to.equal(500)
    expect(listed.text).not.to.match(/T-\d|sealed|bank_accounts/)
    await swap({ number_sealed: theirs.number_sealed }, other.account)
    const turned = { number: holder_sealed, holder: number_sealed }
    expect(() => detailsOf(api, { ...account(row), sealed: turned })).to.throw(VaultError)
    expect(detailsOf(api, await findBankAccount(owner, one.account))?.number).to.match(/^T-/)
  })
  const account = (row: { id: string; number_sealed: Buffer; holder_sealed: Buffer }) => ({
    ...{
      id: row.id,
      owner: '',
      bank: '',
      country: null,
      nameCheck: 'match' as const,
      ...{ checkedAt: new Date(0), nameAtBank: null, confirmedAt: null },
      createdAt: new Date(0),
    },
    sealed: { number: row.number_sealed, holder: row.holder_sealed },
  })

  it('is no bank account of somebody who was erased while it was linked', async () => {
    const ada = await person()
    const { api, owner } = await world()
    const north = api.banks.get('north')
    expect(north).not.to.equal(undefined)
    const checkName: BankAdapter['checkName'] = async (account) => {
      const answer = await north!.checkName(account)
      await erase(api, ada.id)
      return answer
    }
    const banks = new Map([['north', { ...north!, checkName }]])
    const details = { bank: 'north', number: 'T-0001', holder: 'Customer 1' }
    const linked = linkBankAccount({ ...api, banks }, publicId('per', ada.id), details, undefined)
    expect(await linked.catch(({ code }: { code: string }) => code)).to.equal('forbidden')
    expect(await owner('bank_accounts').where({ owner: publicId('per', ada.id) })).to.deep.equal([])
  })
})

describe('florin keys rotate', () => {
  it('seals everything under the new key, and then the old one is not needed', async () => {
    const { ada, account } = await somethingSealed()
    const { db } = await copyOfWorld()
    try {
      const both = openVault(keysOf(NEW, OLD))
      let reported = 0
      const { rotated, left } = await rotate(db, both, (done) => (reported = done))
      expect([...left]).to.deep.equal([])
      expect(rotated).to.be.greaterThan(2).and.to.be.at.most(reported)
      const { api } = await world()
      const onlyNew = { ...api, db, vault: openVault(keysOf(NEW)) }
      const found = await findBankAccount(db, account)
      expect(detailsOf(onlyNew, found)?.number).to.match(/^T-\d{4}$/)
      api.memory.forget(`data key ${ada.id}`)
      const key = (await findPersonKey(onlyNew, ada.id)) ?? expect.fail('no key')
      const { name_sealed } = await db('people').where({ id: ada.id }).first()
      expect(openForPerson(key, namePlace(ada.id), name_sealed)).to.equal(ada.sub)
      const [row, ...more] = await db('security_log').where({ kind: 'data_keys_rotated' })
      expect([row.actor, row.subject, more]).to.deep.equal(['florin keys rotate', NEW.kid, []])
      expect(row.detail).to.deep.equal({ rotated, left: 0 })
      expect((await rotate(db, both)).rotated).to.equal(0)
    } finally {
      await db.destroy()
    }
  })

  it('leaves alone what somebody else changed meanwhile', async () => {
    const { account } = await somethingSealed()
    const { db } = await copyOfWorld()
    try {
      await db('bank_accounts').whereNot({ id: account }).delete()
      const vault = openVault(keysOf(NEW, OLD))
      const place = { table: 'bank_accounts', row: account, column: 'number_sealed' }
      const racing = {
        ...vault,
        // Between reading and writing, erasure wipes the row.
        open(...[where, sealed]: Parameters<typeof vault.open>) {
          wiped ??= db('bank_accounts').where({ id: account }).update(nothing)
          return vault.open(where, sealed)
        },
      }
      const nothing = { number_sealed: null, holder_sealed: null, number_index: null }
      let wiped: PromiseLike<number> | undefined
      expect(vault.open(place, (await db('bank_accounts').first()).number_sealed)).to.exist
      await rotate(db, racing)
      await wiped
      const row = await db('bank_accounts').where({ id: account }).first()
      expect(row.number_sealed).to.equal(null)
    } finally {
      await db.destroy()
    }
  })

  it('is a command that may be run again, and says why something is left', async () => {
    await somethingSealed()
    const { db, url } = await copyOfWorld()
    try {
      const env = { DATABASE_URL: url, BLIND_INDEX_KEY: KEYS.BLIND_INDEX_KEY }
      const lost = await florin({ ...env, DATA_KEYS: JSON.stringify([NEW]) })
      expect(lost).to.match(/no key test is configured/)
      const first = await florin({ ...env, DATA_KEYS: JSON.stringify([NEW, OLD]) })
      expect(first).to.match(/[1-9][\d,]* values were sealed anew under newer\nnone is left/)
      const again = await florin({ ...env, DATA_KEYS: JSON.stringify([NEW, OLD]) })
      expect(again).to.match(/^0 values were sealed anew/m)
      const { sealed } = await db('person_keys').whereNotNull('sealed').first()
      expect(kidOf(sealed)).to.equal('newer')
    } finally {
      await db.destroy()
    }
  }).timeout(60_000)

  async function florin(env: Readonly<Record<string, string>>): Promise<string> {
    const child = spawn(process.execPath, ['services/cli/florin.mjs', 'keys', 'rotate'], {
      ...{ cwd: new URL('..', import.meta.url), env: { ...inherited(), ...env } },
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
    await once(child, 'close')
    return said
  }
})

describe('an upgrade', () => {
  const FOLDER = new URL('../services/migrations/', import.meta.url)
  const LEDGER = new URL('../ledger/migrations/', import.meta.url)
  const EARLIER = ['0101_business.sql', '0102_roles.sql', '0103_holds.sql', '0104_exchange.sql']
  const [NAME, NOTE, NUMBER] = ['Zelda Quintero', 'For the blue canoe', 'DE89370400440532']
  const [ada, ben, bank, paid] = [newId(), newId(), newId(), newId()]
  const party = (id: string) => ({ id: publicId('per', id), alias: 'zelda.q', name: NAME })
  const shown = JSON.stringify({
    ...{ id: publicId('pay', paid), state: 'completed', payer: party(ada), payee: party(ben) },
    ...{ note: NOTE, fee: '0' },
  })

  const PAST = `
    INSERT INTO people (id, issuer, subject, name)
    VALUES ('${ada}', 'i', 'a', '${NAME}'), ('${ben}', 'i', 'b', '${NAME}');
    INSERT INTO bank_accounts (id, owner, bank, number, holder, name_check, created_at)
    VALUES ('${bank}', '${publicId('per', ada)}', 'north', '${NUMBER}', '${NAME}', 'match', now());
    INSERT INTO payments (id, kind, state, payer_id, payee_id, transfer_id, amount, fee, tax, net,
           currency, note, approval, approval_digest, created_at, changed_at)
    VALUES ('${paid}', 'person', 'completed', '${ada}', '${ben}', '${newId()}', 5, 0, 0, 5, 'EUR',
            '${NOTE}', 'none', '\\x00', now(), now());
    INSERT INTO events (id, type, object_id, data, created_at)
    VALUES ('${newId()}', 'payment.completed', 'x', '${shown}', now());
    INSERT INTO claims (id, fingerprint, answer)
    VALUES ('${newId()}', '\\x00', '${shown}'), ('${newId()}', '\\x00', '{"refused":"x"}'),
           ('${newId()}', '\\x00', '{"id":"${publicId('bac', bank)}","holder":"${NAME}"}')`

  it('seals what was in clear, and still shows it', async () => {
    const { newDatabase, api } = await world()
    const { url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 3, applicationName: 'test upgrade' })
    const folder = await mkdtemp(join(tmpdir(), 'florin-upgrade-'))
    try {
      for (const name of EARLIER) await cp(new URL(name, FOLDER), join(folder, name))
      await migrate(db, [LEDGER, pathToFileURL(`${folder}/`)])
      await db.raw(PAST.replaceAll('?', '\\?'))
      await migrate(db, [LEDGER, FOLDER])
      expect(leaksOf(await dumpOf(db), [NAME, NOTE, NUMBER])).to.have.length(7)
      let refusal: unknown
      await carryOver(db, undefined).catch((error: unknown) => (refusal = error))
      expect(refusal).to.be.instanceOf(VaultError)
      await carryOver(db, keysOf(OLD))
      await carryOver(db, keysOf(OLD))
      expect(leaksOf(await dumpOf(db), [NAME, NOTE, NUMBER])).to.deep.equal([])
      const account = await findBankAccount(db, bank)
      expect(detailsOf(api, account)).to.deep.equal({ number: NUMBER, holder: NAME })
      const here = { ...api, db }
      const { data } = await db('events').first()
      const event = JSON.parse(await showPeople(here, JSON.stringify(data)))
      expect(event).to.deep.equal({
        ...JSON.parse(shown),
        payer: { ...party(ada), alias: null },
        payee: { ...party(ben), alias: null },
      })
      await db('events')
        .update({ type: 'x' })
        .then(
          () => expect.fail('the log can be changed'),
          (error: Error) => expect(error.message).to.match(/append|refuse|change/i),
        )
    } finally {
      await db.destroy()
      await rm(folder, { recursive: true })
    }
  })
})
