/** What every connection of ours is told, and which databases and ways to them it refuses. */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import {
  acceptConnection,
  canBeHeard,
  connectionOptions,
  faultsOf,
  PATIENT,
} from '../ledger/database.ts'
import { audit, connect } from '../ledger/index.ts'
import { streamOf } from '../ledger/silence.ts'
import { walletOf } from '../services/books/chart.ts'
import { readConfig } from '../services/config.ts'
import { expectProblem, send, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call } from './support/api.ts'
import { OPERATOR, payment, person } from './support/people.ts'
import { refusal } from './support/process.ts'
import { EMPTY } from './support/postgres.ts'
import { world } from './support/world.ts'

/** As this connection sees it; null where this Postgres does not know it. */
const SETTINGS = `
  SELECT current_setting('statement_timeout') AS statement,
         current_setting('lock_timeout') AS lock,
         current_setting('idle_in_transaction_session_timeout') AS idle,
         current_setting('transaction_timeout', true) AS transaction`

/** Only Postgres 17 and later bound a transaction as a whole. */
const knows = async (): Promise<boolean> => {
  const { owner } = await world()
  const { rows } = await owner.raw("SELECT current_setting('server_version_num')::int AS version")
  return rows[0].version >= 170_000
}

const QUICK = {
  statement_ms: 200,
  lock_ms: 100,
  idleInTransaction_ms: 200,
  transaction_ms: 400,
} as const

const SMALL = { connectionsMax: 1, applicationName: 'test' }

const KEY = Buffer.alloc(32, 1).toString('base64')
const ISSUERS = JSON.stringify([
  { issuer: 'https://id', audience: 'florin', jwks_url: 'https://id/keys' },
])

/** What may be started where money is real, but for what is said. */
const production = (more: object) =>
  readConfig({
    ...{ NODE_ENV: 'production', DATABASE_URL: 'postgres://db/florin', BANKS: '[]' },
    ...{ TOKEN_ISSUERS: ISSUERS, PIN_PEPPER: KEY, BLIND_INDEX_KEY: KEY },
    ...{ DATA_KEYS: JSON.stringify([{ kid: 'a', key: KEY }]), ...more },
  })

const stateOf = (error: { code?: string }) => error.code

describe('a connection of ours', () => {
  it('is told them, in both processes', async () => {
    const { api, worker } = await world()
    const transaction = (await knows()) ? '10s' : null
    for (const { db } of [api, worker]) {
      const { rows } = await db.raw(SETTINGS)
      expect(rows[0]).to.deep.equal({ statement: '5s', lock: '2s', idle: '5s', transaction })
    }
  })

  it('is told other ones where others are configured', async () => {
    const settings = {
      DATABASE_STATEMENT_TIMEOUT_MS: 1_000,
      DATABASE_TRANSACTION_TIMEOUT_MS: 3_000,
    }
    const transaction = (await knows()) ? '3s' : null
    await withAnotherApi(settings, async ({ context }) => {
      const { rows } = await context.db.raw(SETTINGS)
      expect(rows[0]).to.deep.equal({ statement: '1s', lock: '2s', idle: '5s', transaction })
    })
  })

  async function quickly<T>(work: (db: ReturnType<typeof connect>) => Promise<T>): Promise<T> {
    const { url } = await world()
    const options = { url, connectionsMax: 2, applicationName: 'test quick', timeouts: QUICK }
    const db = connect({ ...options, role: 'florin_api' })
    try {
      return await work(db)
    } finally {
      await db.destroy()
    }
  }

  it('gives up what takes too long: a statement, a lock, a transaction', async () => {
    const isBounded = await knows()
    await quickly(async (db) => {
      expect(await db.raw('SELECT pg_sleep(1)').catch(stateOf)).to.equal('57014')
      const { owner } = await world()
      await owner.transaction(async (trx) => {
        await trx.raw('SELECT pg_advisory_xact_lock(4711)')
        const waiting = db.raw('SELECT pg_advisory_lock(4711)')
        expect(await waiting.catch(stateOf)).to.equal('55P03')
      })
      if (!isBounded) return
      const long = db.transaction(async (trx) => {
        for (let step = 0; step < 10; step++) await trx.raw('SELECT pg_sleep(0.1)')
      })
      const said = await long.catch((error: Error) => error.message)
      expect(said).to.match(/timeout|terminated/)
    })
  })

  it('has longer where it says so: who audits, seals and verifies reads much', async () => {
    await quickly(async (db) => {
      await db.transaction(async (trx) => {
        await trx.raw(PATIENT)
        await trx.raw('SELECT pg_sleep(0.6)')
        const { rows } = await trx.raw(SETTINGS)
        const transaction = (await knows()) ? '4h' : null
        expect(rows[0]).to.deep.include({ statement: '4h', idle: '4h', transaction })
      })
      // And only there.
      expect((await db.raw(SETTINGS)).rows[0].statement).to.equal('200ms')
    })
  })

  it('has longer for an audit, which takes longer than all of these', async () => {
    await quickly(async (db) => {
      let looked = 0
      const onProgress = () => {
        looked += 1
        // Nothing else of ours runs meanwhile; Postgres's clock does.
        if (looked === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
      }
      expect((await audit(db, { onProgress })).violations).to.deep.equal([])
      expect(looked).to.be.greaterThan(5)
    })
  })

  it('is killed when it gets stuck inside a transaction: nothing changed (abuse 48)', async () => {
    const [ada, ben, { url, worker }] = await Promise.all([person(10_000n), person(), world()])
    const wallet = await walletOf(worker, ada.id, 'EUR')
    const options = { url, connectionsMax: 1, applicationName: 'test stuck', timeouts: QUICK }
    const stuck = new pg.Client(connectionOptions({ ...options, role: 'florin_api' }))
    const killed = new Promise<string | undefined>((resolve) =>
      stuck.on('error', (error) => 'code' in error && resolve(String(error.code))),
    )
    await stuck.connect()
    await unchanged(async () => {
      await stuck.query('BEGIN')
      await stuck.query('UPDATE accounts SET debits_posted = debits_posted + 1 WHERE id = $1', [
        wallet,
      ])
      await stuck.query('UPDATE payments SET state = state')
      expect(await killed).to.equal('25P03')
      await pause(20)
    })
    expect(await stuck.query('COMMIT').catch(() => 'gone')).to.equal('gone')
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    expect(paid.status, paid.text).to.equal(201)
  })
})

describe('a database that may lose what it confirmed', () => {
  const safe = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on', is_replica: false }

  it('is known by its switches, and by being a replica', () => {
    expect(faultsOf(safe)).to.deep.equal([])
    expect(faultsOf({ ...safe, synchronous_commit: 'remote_apply' })).to.deep.equal([])
    expect(faultsOf({ ...safe, fsync: 'off' })).to.deep.equal(['fsync is off'])
    expect(faultsOf({ ...safe, is_replica: true })).to.deep.equal(['it is a replica'])
    const worst = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }
    expect(faultsOf({ ...worst, is_replica: true })).to.have.length(4)
  })

  /** One whose sessions need not wait for their commits. */
  async function forgetful(): Promise<string> {
    const { newDatabase } = await world()
    const { name, url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 1, applicationName: 'test' })
    await db.raw(`ALTER DATABASE ${name} SET synchronous_commit = off`)
    await db.destroy()
    return url
  }

  it('is refused by every connection, and whoever needs one is told to come back', async () => {
    const settings = { DATABASE_DURABILITY: 'required', DATABASE_URL: await forgetful() } as const
    await withAnotherApi(settings, async ({ apiUrl, context }) => {
      for (let round = 0; round < 15; round++) {
        const answer = await send(OPERATOR, 'GET', '/v1/proposals', { apiUrl })
        expectProblem(answer, 503, 'ledger_unavailable')
      }
      const reason = await context.db
        .raw('SELECT 1')
        .catch(({ cause }: { cause: Error }) => cause.message)
      expect(reason).to.contain('synchronous_commit is off')
      const recalled = context.group.recall({
        id: crypto.randomUUID(),
        fingerprint: Buffer.alloc(1),
      })
      const code = await recalled.catch(stateOf)
      expect(code).to.equal('ledger_unavailable')
    })
  })

  it('stops a process before it listens, with the reason', async () => {
    const { config } = await world()
    const settings = { DATABASE_DURABILITY: 'required', DATABASE_URL: await forgetful() }
    const { code, said } = await refusal(config, settings)
    expect(code).to.equal(1)
    expect(said).to.match(
      /^the database may not keep what it confirms: .*synchronous_commit is off/,
    )
    expect(said.trim().split('\n')).to.have.length(1)
  })

  it('stops a process before it listens where it is a replica', async () => {
    const { config, newDatabase } = await world()
    const { name, url } = await newDatabase(EMPTY)
    const db = connect({ url, connectionsMax: 1, applicationName: 'test' })
    // Postgres's own answer, but for this: whoever asks finds ours first.
    await db.raw(`CREATE SCHEMA pretence;
      CREATE FUNCTION pretence.pg_is_in_recovery() RETURNS boolean LANGUAGE sql
        AS 'SELECT true';
      GRANT USAGE ON SCHEMA pretence TO PUBLIC;
      ALTER DATABASE ${name} SET search_path = pretence, pg_catalog, public`)
    await db.destroy()
    const settings = { DATABASE_DURABILITY: 'required', DATABASE_URL: url }
    const { code, said } = await refusal(config, settings)
    expect(code).to.equal(1)
    expect(said).to.match(/^the database may not keep what it confirms: .*it is a replica/)
  })

  it('cannot be allowed where money is real', () => {
    const faulty = () => production({ DATABASE_DURABILITY: 'any' })
    expect(faulty).to.throw('DATABASE_DURABILITY: any is refused')
  })
})

describe('a connection on which others could listen', () => {
  it('is one that leaves the machine and is not TLS to a server that is known', () => {
    const far = { remoteAddress: '10.1.2.3' }
    expect(canBeHeard(far)).to.equal(true)
    // TLS to anybody who answers.
    expect(canBeHeard({ ...far, authorized: false })).to.equal(true)
    expect(canBeHeard({ ...far, authorized: true })).to.equal(false)
    expect(canBeHeard({ remoteAddress: '::ffff:10.1.2.3' })).to.equal(true)
    for (const remoteAddress of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', undefined]) {
      expect(canBeHeard({ remoteAddress }), remoteAddress).to.equal(false)
    }
  })

  it('is refused on an open network, before anything is asked on it', async () => {
    const { url } = await world()
    for (const [network, isRefused] of [
      ['open', true],
      ['private', false],
    ] as const) {
      const client = new pg.Client(connectionOptions({ url, ...SMALL }))
      await client.connect()
      Object.defineProperty(streamOf(client), 'remoteAddress', { value: '10.1.2.3' })
      const refused = await acceptConnection(client, { url, ...SMALL, network }).then(
        () => false,
        ({ cause }: { cause: Error }) => cause.message.includes('neither TLS'),
      )
      expect(refused, network).to.equal(isRefused)
      await client.end()
    }
  })

  it('is demanded of Redis too, where money is real', () => {
    const fault = /REDIS_URL: must be rediss/
    const said = (more: object) => {
      try {
        production(more)
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(said({ REDIS_URL: 'redis://redis:6379' })).to.match(fault)
    const good = [{ REDIS_URL: 'rediss://redis:6379' }, { REDIS_URL: 'redis://:x@127.0.0.1:1' }, {}]
    const ours = { REDIS_URL: 'redis://redis:6379', DATA_NETWORK: 'private' }
    for (const more of [...good, ours]) expect(said(more)).not.to.match(fault)
  })

  it('is none in docker-compose.yml: its network is inside, with passwords', async () => {
    const compose = await readFile(new URL('../docker-compose.yml', import.meta.url), 'utf8')
    expect(compose).to.match(/DATA_NETWORK: \$\{DATA_NETWORK:-private\}/)
    expect(compose).to.match(/^ {2}data: \{ internal: true \}$/m)
    expect(compose).to.contain('POSTGRES_HOST_AUTH_METHOD: scram-sha-256')
    expect(compose).to.contain('--maxmemory-policy noeviction')
    expect(compose).to.contain('--appendonly yes')
    expect(compose).to.match(/--user default on ">\$\{REDIS_PASSWORD:\?/)
    expect(compose).to.contain('"~*" "&*" +@all -@dangerous +info')
  })
})
