/**
 * Secrets of our own making are sent through a real API process in every way we could think of, and
 * then looked for: in its log, in the log of Postgres, in every table and in the queue.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { connect, newId } from '../ledger/index.ts'
import { inherited } from '../services/config.ts'
import { uuidOf } from '../services/ids.ts'
import { openLog } from '../services/log.ts'
import { openQueue } from '../services/queue.ts'
import { newKey, newSubject, tokenOf } from './support/api.ts'
import { dumpOf, leaksOf } from './support/dump.ts'
import { freePorts } from './support/ports.ts'
import { person, PIN } from './support/people.ts'
import { CANARY_CUSTOMER, world } from './support/world.ts'

const NOTE = `Canary note ${randomBytes(9).toString('hex')}`
/** Of six digits that nobody would call weak: no day, because there are no such months. */
const CANARY_PIN = `${randomInt(2, 9)}9${randomInt(13, 99)}05`
const { number: NUMBER, holder: HOLDER } = CANARY_CUSTOMER

/** A PIN is short, so only as a word of its own: in ids and times six digits are no news. */
const PIN_SEEN = new RegExp(`(?<![\\w.+-])${CANARY_PIN}(?![\\w-])`)

/** The API as it is deployed, but for its talking more. */
async function startApi() {
  const { environment } = await world()
  const port = await freePorts(1)
  const env = { ...inherited(), ...environment, LOG_LEVEL: 'debug', PORT: `${port}` }
  const child = spawn(process.execPath, ['services/run.mjs', 'services/api.ts'], {
    ...{ cwd: new URL('..', import.meta.url), env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  })
  const log = { text: '' }
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (t) => (log.text += t))
  await once(child, 'message')
  return { child, log, url: `http://127.0.0.1:${port}` }
}

describe('a secret', () => {
  let api: { child: ChildProcess; log: { text: string }; url: string }
  let token: string
  before(async () => {
    api = await startApi()
  })
  after(async () => {
    api.child.kill('SIGTERM')
    await once(api.child, 'exit')
  })

  async function ask(method: string, path: string, body?: unknown, headers: object = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: {
        ...{ authorization: `Bearer ${token}`, 'idempotency-key': newKey() },
        ...{ 'content-type': 'application/json', ...headers },
      },
      ...(body !== undefined && { body: text }),
    })
    return { status: response.status, text: await response.text() }
  }

  it('is in no log, in no table and not in the queue (abuse 39, 40)', async () => {
    const { owner, postgresLog } = await world()
    const [sub, ben] = [newSubject('canary'), await person()]
    token = await tokenOf({ sub, scope: 'person' })
    const [pin, approval] = [CANARY_PIN, { pin: CANARY_PIN }]
    const link = { bank: 'north', number: NUMBER, holder: HOLDER }
    const pay = { payee: ben.alias, amount: '1', currency: 'EUR', note: NOTE, approval }
    const statuses = {
      pinSet: (await ask('PUT', '/v1/pin', { pin })).status,
      pinWrong: (await ask('PUT', '/v1/pin', { pin: PIN, current_pin: '830471' })).status,
      linked: (await ask('POST', '/v1/bank_accounts', link)).status,
      again: (await ask('POST', '/v1/bank_accounts', link)).status,
      misnamed: (await ask('POST', '/v1/bank_accounts', { ...link, holder: 'Somebody Else' }))
        .status,
      poor: (await ask('POST', '/v1/payments', { ...pay, amount: '5000' })).status,
      unknown: (await ask('POST', '/v1/payments', { ...pay, [NUMBER]: NOTE })).status,
      malformed: (await ask('POST', '/v1/payments', `{"pin":"${pin}","x":"${NUMBER}`)).status,
      text: (await ask('POST', '/v1/payments', `${pin} ${NOTE}`, { 'content-type': 'x/y' })).status,
      path: (await ask('GET', `/v1/payments/${NUMBER}`)).status,
      query: (await ask('GET', `/v1/payments?pin=${pin}&note=${NUMBER}`)).status,
      badToken: (await ask('GET', '/v1/accounts', undefined, { authorization: `Bearer ${token}x` }))
        .status,
      dpop: (await ask('GET', '/v1/accounts', undefined, { dpop: token, cookie: NUMBER })).status,
    }
    expect(statuses).to.deep.equal({
      ...{ pinSet: 204, pinWrong: 401, linked: 201, again: 409, misnamed: 422, poor: 402 },
      ...{ unknown: 400, malformed: 400, text: 415, path: 404, query: 400, badToken: 401 },
      dpop: 200,
    })
    await provokeInternalErrors(sub, pay)

    // What a process says last comes a little later through the pipe.
    await sleep(300)
    const lines = api.log.text.split('\n').filter((line) => line !== '')
    expect(lines.filter((line) => line.includes('"internal error"'))).to.have.length(2)
    for (const line of lines) expect(() => JSON.parse(line), line).not.to.throw()
    const logs = [api.log.text]
    if (postgresLog !== undefined) {
      const log = await readFile(postgresLog, 'utf8')
      expect(log).to.match(/violates check constraint "canary"/)
      logs.push(log)
    }
    const dump = await dumpOf(owner)
    expect(dump).to.include('bank_accounts: ').and.to.include('claims: ')
    const secrets = [NOTE, NUMBER, HOLDER, token, token.split('.')[2] ?? '']
    expect(leaksOf([dump, ...logs].join('\n'), secrets)).to.deep.equal([])
    const seen = [dump, ...logs].flatMap((text) => text.split('\n').filter((l) => PIN_SEEN.test(l)))
    expect(seen).to.deep.equal([])
  }).timeout(60_000)

  /** A row that cannot be opened, and one that Postgres refuses and would like to talk about. */
  async function provokeInternalErrors(sub: string, pay: object): Promise<void> {
    const { owner } = await world()
    const { id } = await owner('people').where({ subject: sub }).first('id')
    const mine = JSON.parse((await ask('GET', '/v1/bank_accounts')).text).data[0]
    const row = { id: uuidOf(mine.id) }
    const { number_sealed, holder_sealed } = await owner('bank_accounts').where(row).first()
    await owner('bank_accounts').where(row).update({ number_sealed: holder_sealed })
    expect((await ask('GET', '/v1/bank_accounts')).status).to.equal(500)
    await owner('bank_accounts').where(row).update({ number_sealed })
    await owner.raw(`ALTER TABLE pins ADD CONSTRAINT canary CHECK (hash = '${id}') NOT VALID`)
    try {
      expect((await ask('POST', '/v1/payments', pay)).status).to.equal(500)
    } finally {
      await owner.raw('ALTER TABLE pins DROP CONSTRAINT canary')
    }
  }
})

describe('a search for secrets', () => {
  it('finds them as text, as bytes and inside of base64, at every place', () => {
    for (const pad of ['', 'x', 'xy', 'xyz']) {
      const text = `${pad}${NUMBER}${pad}`
      const forms = [text, Buffer.from(text).toString('hex'), Buffer.from(text).toString('base64')]
      for (const form of forms) expect(leaksOf(`a ${form} b`, [NUMBER])).to.have.length(1)
    }
    expect(leaksOf('nothing here', [NUMBER])).to.deep.equal([])
    expect(PIN_SEEN.test(`{"pin":"${CANARY_PIN}"}`)).to.equal(true)
  })
})

describe('the log', () => {
  const lineOf = (given: object): string => {
    let written = ''
    openLog({ level: 'debug', name: 'test' }, { write: (text) => void (written += text) }).info(
      given,
    )
    return written
  }
  const NAMES = [
    ...['authorization', 'Authorization', 'dpop', 'DPoP', 'cookie', 'set-cookie', 'approval'],
    ...['pin', 'current_pin', 'currentPin', 'new_pin', 'pin_jwe', 'otp', 'totp', 'code', 'codes'],
    ...['recovery_code', 'recovery_codes', 'seed', 'token', 'access_token', 'refreshToken', 'jws'],
    ...['secret', 'totp_secret', 'client_secret', 'api_key', 'apiKey', 'private_key', 'key', 'jwe'],
    ...['password', 'number', 'account_number', 'iban', 'account', 'holder', 'note', 'alias'],
    ...['subject', 'sub', 'client_assertion', 'proof', 'approval_proof', 'body', 'bindings'],
  ]

  it('says nothing of a secret, by whatever name and however deep (abuse 39)', () => {
    for (const name of NAMES) {
      const at = [
        { [name]: NUMBER },
        { a: { [name]: NUMBER } },
        { a: { b: [{ c: { d: { [name]: { e: [NUMBER] } } } }] } },
      ]
      for (const given of at) {
        expect(lineOf(given), name).not.to.include(NUMBER)
        expect(lineOf(given)).to.include('[redacted]')
      }
    }
    const deep = JSON.parse(`${'{"a":'.repeat(30)}"${NUMBER}"${'}'.repeat(30)}`)
    expect(lineOf(deep)).not.to.include(NUMBER)
    expect(lineOf({ bytes: Buffer.from(NUMBER) })).not.to.include(NUMBER)
  })

  it('still says what happened', () => {
    const said = JSON.parse(lineOf({ route: '/v1/x', status: 500, bank: 'north', request: 'r1' }))
    expect(said).to.deep.include({ route: '/v1/x', status: 500, bank: 'north', request: 'r1' })
    const error = Object.assign(new TypeError('broken'), { code: 'E_X' })
    const { err } = JSON.parse(lineOf({ err: error }))
    expect(err).to.deep.include({ type: 'TypeError', message: 'broken', code: 'E_X' })
    expect(err.stack).to.include('canary.test.ts')
  })

  it('says of an error of Postgres what broke, not the row that broke it', async () => {
    const { owner } = await world()
    const causes: (() => PromiseLike<unknown>)[] = [
      () => owner('pins').insert({ person_id: newId(), hash: NUMBER, changed_at: new Date() }),
      () => owner.raw('SELECT ?::uuid', [NUMBER]),
      () => owner.raw('SELECT ?::int', [NUMBER]),
      () => owner.raw('SELECT ?::jsonb', [NUMBER]),
      () => owner('aliases').insert({ alias: NUMBER }),
    ]
    for (const cause of causes) {
      const error: unknown = await cause().then(
        () => expect.fail('this was to fail'),
        (thrown: unknown) => thrown,
      )
      const nested = new Error('outside', { cause: error })
      for (const given of [
        error as object,
        { err: error },
        { err: nested },
        { a: { error } },
        { list: [error] },
      ]) {
        const line = lineOf(given)
        expect(line.includes(NUMBER), line).to.equal(false)
        expect(line).to.match(/"severity":"ERROR"/)
      }
    }
  })
})

describe('a ring', () => {
  it('carries an id and nothing else, and so does the queue', async () => {
    const { url } = await (await world()).newDatabase()
    const queue = openQueue({ databaseUrl: url, onError: (error) => expect.fail(error.message) })
    const db = connect({ url, connectionsMax: 2, applicationName: 'test queue' })
    try {
      const ids = [newId(), newId()]
      await queue.ring('instruction', ids)
      await queue.ring('callback', [newId()])
      const dump = (await dumpOf(db)).split('\n').filter((line) => line.includes('"id"'))
      const data = dump.flatMap((line) => line.match(/\{"id": ?"[^"]*"\}/g) ?? [])
      expect(data).to.have.length(3)
      for (const one of data) expect(one).to.match(/^\{"id": ?"[0-9a-f-]{36}"\}$/)
    } finally {
      await queue.close()
      await db.destroy()
    }
  })
})

describe('Postgres', () => {
  it('logs no statement and no parameter, not even of what failed (abuse 39)', async () => {
    const { owner, postgresLog } = await world()
    const expected = {
      ...{ log_statement: 'none', log_min_error_statement: 'panic' },
      ...{ log_parameter_max_length: '0', log_parameter_max_length_on_error: '0' },
      log_error_verbosity: 'terse',
    }
    const compose = await readFile(new URL('../docker-compose.yml', import.meta.url), 'utf8')
    for (const [name, value] of Object.entries(expected)) {
      expect(compose).to.include(`-c ${name}=${value}`)
      if (postgresLog === undefined) continue
      const { rows } = await owner.raw(`SELECT current_setting('${name}') AS value`)
      expect(rows[0].value.replace(/B$/, ''), name).to.equal(value)
    }
  })
})
