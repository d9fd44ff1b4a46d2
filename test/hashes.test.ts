/** How a PIN is hashed: with which pepper, at what cost, and how both may change. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { connect, migrate, newId } from '../ledger/index.ts'
import { type Config, ConfigError, readConfig } from '../services/config.ts'
import { openLog } from '../services/log.ts'
import { openPeppers } from '../services/pins/peppers.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { type SecondApi, startApi, startSecondApi } from './support/abuse-issuer.ts'
import { person, PIN } from './support/people.ts'
import { rowOf, verify, verifyAt, wrong } from './support/pins.ts'
import { EMPTY } from './support/postgres.ts'
import { KEYS, world } from './support/world.ts'

const BOOKS = new URL('../ledger/migrations/', import.meta.url)
const FOLDER = new URL('../services/migrations/', import.meta.url)
const EARLIER = ['business', 'roles', 'holds', 'exchange'].map(
  (name, index) => `010${index + 1}_${name}.sql`,
)

describe('the pepper', () => {
  const OTHER = Buffer.alloc(32, 9)
  const withApi = async (settings: Partial<Config>, work: (api: SecondApi) => Promise<void>) => {
    const api = await startSecondApi(() => settings)
    try {
      await work(api)
    } finally {
      await api.stop()
    }
  }

  it('may change: a PIN that is right moves on, and then needs the old one no more', async () => {
    const { config, owner } = await world()
    const ada = await person()
    // As it was before peppers had ids.
    await owner('pins').where({ person_id: ada.id }).update({ pepper_kid: null })
    const before = await rowOf(ada)
    const previous = [config.PIN_PEPPER]
    await withApi({ PIN_PEPPER: OTHER, PIN_PREVIOUS_PEPPERS: previous }, async (api) => {
      expectProblem(await verifyAt(api, ada, wrong(1)), 401, 'approval_refused')
      expect((await rowOf(ada)).hash).to.equal(before.hash)
      expect((await verifyAt(api, ada, PIN)).status).to.equal(204)
    })
    const after = await rowOf(ada)
    expect(after.hash).not.to.equal(before.hash)
    expect(after).to.include({ failed: 0, failures: 0 })
    expect(after.pepper_kid).to.match(/^[\da-f]{16}$/)
    await withApi({ PIN_PEPPER: OTHER }, async (api) => {
      expect((await verifyAt(api, ada, PIN)).status).to.equal(204)
      expect((await rowOf(ada)).hash).to.equal(after.hash)
    })
  })

  it('of a PIN from before peppers had ids is the earliest; wrong ones stay counted', async () => {
    const { newDatabase } = await world()
    const { url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 2, applicationName: 'test upgrade' })
    const folder = await mkdtemp(join(tmpdir(), 'florin-pins-'))
    try {
      for (const name of EARLIER) await cp(new URL(name, FOLDER), join(folder, name))
      await migrate(db, [BOOKS, pathToFileURL(`${folder}/`)])
      const id = newId()
      await db('people').insert({ id, issuer: 'https://id', subject: 'ada', name: 'Ada' })
      const row = { hash: '$argon2id$', failed: 3, changed_at: new Date() }
      await db('pins').insert({ person_id: id, ...row })
      await migrate(db, [BOOKS, FOLDER])
      expect(await db('pins').first()).to.include({ pepper_kid: null, failed: 3, failures: 3 })
    } finally {
      await db.destroy()
      await rm(folder, { recursive: true })
    }
    const [first, second, third] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [
      ...[Buffer, Buffer, Buffer],
    ]
    const hashed = openPeppers(first, []).pepper(PIN, null)
    expect(openPeppers(second, [first]).pepper(PIN, null)).to.equal(hashed)
    expect(openPeppers(third, [second, first]).pepper(PIN, null)).to.equal(hashed)
    expect(openPeppers(third, [second]).pepper(PIN, null)).not.to.equal(hashed)
  })

  it('is needed: with another no PIN is right, no guess used up (abuse 40)', async () => {
    const [ada, old] = [await person(), await person()]
    const { owner } = await world()
    await owner('pins').where({ person_id: old.id }).update({ pepper_kid: null })
    await withApi({ PIN_PEPPER: OTHER }, async (api) => {
      expectProblem(await unchanged(() => verifyAt(api, ada, PIN)), 500, 'internal')
      expectProblem(await verifyAt(api, old, PIN), 401, 'approval_refused')
    })
    expect((await rowOf(ada)).failed).to.equal(0)
    expect((await verify(ada, PIN)).status).to.equal(204)
  })

  it('that is missing is told to the log alone, by X-Request-Id (abuse 38)', async () => {
    const ada = await person()
    const lines: string[] = []
    const log = openLog({ level: 'info', name: 'test' }, { write: (line) => void lines.push(line) })
    const api = await startApi(() => ({ PIN_PEPPER: OTHER }), log)
    const answers = await unchanged(async () => [
      await verifyAt(api, ada, PIN),
      await verifyAt(api, ada, wrong(1)),
    ])
    await api.stop()
    const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50)
    const requests = answers.map(({ headers }) => headers.get('x-request-id'))
    expect(requests[0])
      .to.match(/^[0-9a-f-]{36}$/)
      .and.not.equal(requests[1])
    // Each in one line, of nothing else, and in the order of the requests.
    expect(errors.map(({ request }) => request)).to.deep.equal(requests)
    const { kid } = openPeppers((await world()).config.PIN_PEPPER, [])
    for (const [index, answer] of answers.entries()) {
      expectProblem(answer, 500, 'internal')
      expect(Object.keys(JSON.parse(answer.text))).to.have.members([
        ...['type', 'title', 'status', 'code'],
      ])
      const { msg, err } = errors[index]
      expect(msg).to.equal('internal error')
      expect(err.message).to.equal('a PIN is hashed with a pepper that is not configured')
      const told = answer.text + JSON.stringify([...answer.headers])
      for (const secret of [err.message, 'pepper', 'hashed', kid, PIN, ada.id]) {
        expect(told, secret).not.to.contain(secret)
      }
    }
    const secrets = [PIN, wrong(1), (await rowOf(ada)).hash, OTHER.toString('base64')]
    for (const secret of secrets) expect(lines.join('')).not.to.contain(secret)
  })
})

describe('the cost of a hash', () => {
  const env = {
    ...{ DATABASE_URL: 'postgres://db/florin', BANKS: '[]', ...KEYS },
    TOKEN_ISSUERS: '[{"issuer":"https://id","audience":"florin","jwks_url":"https://id/jwks"}]',
    PIN_PEPPER: Buffer.alloc(32, 1).toString('base64'),
  }

  it('is 19 MiB and two passes, with a salt of 16 bytes and a tag of 32', async () => {
    const ada = await person()
    const api = await startSecondApi(() => ({ PIN_ARGON2: readConfig(env).PIN_ARGON2 }))
    expect((await verifyAt(api, ada, PIN)).status).to.equal(204)
    await api.stop()
    const { hash } = await rowOf(ada)
    const [, kind, version, cost, salt, tag] = hash.split('$')
    expect([kind, version, cost]).to.deep.equal(['argon2id', 'v=19', 'm=19456,t=2,p=1'])
    expect(Buffer.from(salt, 'base64')).to.have.length(16)
    expect(Buffer.from(tag, 'base64')).to.have.length(32)
  })

  it('is never less than one of three that are published', () => {
    for (const cost of ['m=19456,t=2,p=1', 'm=47104,t=1,p=1', 'm=12288,t=3,p=1', 'm=65536,t=4,p=2'])
      expect(() => readConfig({ ...env, PIN_ARGON2: cost }), cost).not.to.throw()
    for (const cost of ['m=19455,t=2,p=1', 'm=47103,t=1,p=1', 'm=12287,t=3,p=1', 'm=8192,t=9,p=1'])
      expect(() => readConfig({ ...env, PIN_ARGON2: cost }), cost).to.throw(ConfigError)
    for (const cost of ['m=99999999,t=2,p=1', 'm=19456,t=2', '19456', 'm=19456,t=2,p=9'])
      expect(() => readConfig({ ...env, PIN_ARGON2: cost }), cost).to.throw(ConfigError)
  })

  it('follows the setting when the PIN is next right', async () => {
    const ada = await person()
    const cost = { memory_kib: 12_288, passes: 3, lanes: 1 }
    const api = await startSecondApi(() => ({ PIN_ARGON2: cost }))
    expect((await verifyAt(api, ada, PIN)).status).to.equal(204)
    await api.stop()
    expect((await rowOf(ada)).hash).to.match(/^\$argon2id\$v=19\$m=12288,t=3,p=1\$/)
    expect((await verify(ada, PIN)).status).to.equal(204)
    const { memory_kib, passes } = (await world()).config.PIN_ARGON2
    expect((await rowOf(ada)).hash).to.include(`$argon2id$v=19$m=${memory_kib},t=${passes},p=1$`)
  })

  it('leaves threads to whatever else needs them', () => {
    expect(() => readConfig({ ...env, PIN_HASHES_AT_ONCE: '3' })).to.throw(/UV_THREADPOOL_SIZE/)
    const wider = { ...env, PIN_HASHES_AT_ONCE: '6', UV_THREADPOOL_SIZE: '8' }
    expect(() => readConfig(wider)).not.to.throw()
  })
})
