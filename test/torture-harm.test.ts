/** What is done on purpose in the torture: drawn by a stream of its own, counted if it happened. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { randomOf } from './support/random.ts'
import { world } from './support/world.ts'
import { believes, hearsBelief, openClock, timeAt } from './torture/clock.ts'
import { doHarm, forgetJobs } from './torture/harm.ts'
import { openNetwork } from './torture/network.ts'
import { openNothing } from './torture/opened.ts'
import { keepRedis, obeys } from './torture/redis.ts'
import { seedOf, streamOf } from './torture/seeds.ts'
import type { Town } from './torture/town.ts'

const { keep, close } = openNothing()
afterEach(close)

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  keep(async () => void server.close())
  return (server.address() as { port: number }).port
}

describe('the streams of a torture', () => {
  const NAMES = ['harm', 'webhooks', 'asking', 'bank north', 'bank south'].concat(
    Array.from({ length: 16 }, (_, index) => `life of customer_${index + 1}`),
  )
  const SEEDS = [101, 102, 103]

  /** Beginnings that are there more than once. */
  function shared(streams: readonly (() => number)[]): number {
    const beginnings = streams.map((random) => `${random()} ${random()} ${random()}`)
    return beginnings.length - new Set(beginnings).size
  }

  it('are none of them those of a neighbouring seed, as seeds in a row would be', () => {
    const all = SEEDS.flatMap((seed) => NAMES.map((name) => streamOf(seed, name)))
    expect(shared(all)).to.equal(0)
    expect(shared(SEEDS.flatMap((seed) => NAMES.map((_, at) => randomOf(seed + at))))).to.equal(40)
  })

  it('are the same each time', () => {
    expect(seedOf(7, 'harm')).to.equal(seedOf(7, 'harm'))
    expect(seedOf(7, 'harm')).not.to.equal(seedOf(7, 'hands'))
  })

  it('go with the name of a link, whichever is opened first', async () => {
    const port = await listening(createHttpServer((_, response) => response.end('well')))
    const faultsOf = async (isFirst: boolean) => {
      const network = openNetwork(7)
      keep(network.close)
      const other = () => network.link('worker and bank', [{ host: '127.0.0.1', port }], 'north')
      if (!isFirst) await other()
      const through = await network.forwarder('bank and API', [port])
      if (isFirst) await other()
      const ask = async () => (await fetch(`http://127.0.0.1:${through}`)).text()
      await Promise.all(Array.from({ length: 400 }, ask))
      return network.counts()
    }
    const faults = await faultsOf(true)
    expect(faults).to.have.keys('bank and API: duplicate', 'bank and API: swap')
    expect(await faultsOf(false)).to.deep.equal(faults)
  })

  it('are never those of two links', async () => {
    const network = openNetwork(7)
    keep(network.close)
    const open = (which: string) =>
      network.link('worker and bank', [{ host: '127.0.0.1', port: 9 }], which)
    await Promise.all([open('north'), open('south')])
    const again = await open('north').catch((error: Error) => error.message)
    expect(again).to.contain('already')
  })
})

/** Nobody has that one. */
const PID_MAX = 4_194_999

describe('harm', () => {
  /** A town in which something can be done to one thing at a time. */
  const townOf = (folder: string, more: object) => {
    const nobody = { name: 'api 1', clock: undefined, freeze: async () => {}, starts: () => [1] }
    const api = { ...nobody, kill: () => {}, ...more }
    const postgres = { killServer() {}, killBackend: () => false, freezeBackend: async () => false }
    const redis = { kill: async () => false, wipe: async () => false }
    return { ...{ folder, apis: [api], workers: [], postgres, redis } } as unknown as Town
  }
  const done = async (town: Town) => {
    const until = performance.now() + 400
    const isOver = () => performance.now() > until
    const [random, often] = [randomOf(1), { every_s: 0.001, longest_s: 0.001, back_ms: 100 }]
    return doHarm(town, { random, isOver, say: () => {}, ...often })
  }
  let folder = ''
  const postgresIs = (pid: number) =>
    writeFile(join(folder, 'postgres', 'postmaster.pid'), `${pid}\n/somewhere\n`)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'florin-harm-'))
    keep(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, 'postgres'))
    await postgresIs(PID_MAX)
  })

  it('that came to nothing is not counted', async () => {
    expect(await done(townOf(folder, {}))).to.have.keys('stood still', 'clock_believed')
    // Somebody else kills it, or it is not ours.
    await postgresIs(process.pid)
    const counts = await done(townOf(folder, {}))
    expect(counts).not.to.have.any.keys('Postgres killed', 'killed')
    expect(counts['clock_believed']).to.equal(0)
  })

  it('is counted when it happened', async () => {
    const starts = [1]
    const kill = () => void starts.push(1)
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    await postgresIs(child.pid ?? PID_MAX)
    const postgres = { killServer: () => child.kill('SIGKILL'), killBackend: () => true }
    const redis = { kill: async () => true, wipe: async () => true }
    const freezeBackend = async () => true
    const more = { redis, postgres: { ...postgres, freezeBackend } }
    const counts = await done({
      ...townOf(folder, { kill, starts: () => [...starts] }),
      ...(more as unknown as Pick<Town, 'redis' | 'postgres'>),
    })
    expect(counts['Postgres killed']).to.equal(1)
    expect(counts).to.have.keys(
      ...['killed', 'all killed', 'stood still', 'clock_believed', 'Postgres killed'],
      ...['backend of Postgres killed', 'backend of Postgres stood still'],
      ...['Redis killed', 'Redis killed, its disk lost', 'Redis wiped'],
    )
  })

  it('to jobs says which errors it met, but for a database that is away', async () => {
    const failing = async (error: object) => {
      let asked = 0
      const db = {
        async raw() {
          asked += 1
          throw Object.assign(new Error('no'), error)
        },
      }
      const isOver = () => asked >= 2
      return forgetJobs(db as never, { isOver, every_ms: 1 })
    }
    const severity = 'ERROR'
    expect(await failing({ severity, code: '57P01' })).to.deep.equal({ deleted: 0, failed: {} })
    expect(await failing({ code: 'ECONNREFUSED' })).to.deep.equal({ deleted: 0, failed: {} })
    const failed = { 'jobs not forgotten: 42P01': 2 }
    expect(await failing({ severity, code: '42P01' })).to.deep.equal({ deleted: 0, failed })
  })

  it('to jobs knows where they are', async () => {
    const { owner } = await world()
    let rounds = 0
    const { failed } = await forgetJobs(owner, { isOver: () => rounds++ > 0, every_ms: 1 })
    expect(failed).to.deep.equal({})
  })
})

describe('a Redis that is told', () => {
  const answering = (answer: string) =>
    listening(
      createServer((socket) => {
        socket.on('error', () => {}).once('data', () => socket.end(answer))
      }),
    )

  it('obeys when it says so of each command', async () => {
    expect(await obeys(await answering('+OK\r\n+OK\r\n'), 'AUTH', 'FLUSHALL')).to.equal(true)
    expect(await obeys(await answering('+OK\r\n-NOPERM\r\n'), 'AUTH', 'FLUSHALL')).to.equal(false)
    expect(await obeys(await answering('+OK\r\n'), 'AUTH', 'FLUSHALL')).to.equal(false)
    expect(await obeys(await answering('+PONG\r\n'), 'PING')).to.equal(true)
  })
})

describe('a Redis that is kept', () => {
  it('says what happened to it, and what did not', async function () {
    if (spawnSync('redis-server', ['--version']).status !== 0) this.skip()
    const folder = await mkdtemp(join(tmpdir(), 'florin-redis-'))
    keep(() => rm(folder, { recursive: true }))
    const redis = await keepRedis(folder)
    keep(redis.stop)
    const holds = () => obeys(redis.port, 'RENAME ring ring')
    expect(await obeys(redis.port, 'SET ring 1')).to.equal(true)
    expect(await holds()).to.equal(true)
    expect(await redis.wipe()).to.equal(true)
    expect(await holds()).to.equal(false)
    const killing = redis.kill(200, 'kept')
    expect(await redis.kill(1, 'lost')).to.equal(false)
    expect(await redis.wipe()).to.equal(false)
    expect(await killing).to.equal(true)
    expect(await redis.wipe()).to.equal(true)
  })
})

describe('a clock that jumps', () => {
  it('is believed by whoever says that time, and what is nearly right says nothing', () => {
    const now_ms = 1_700_000_000_000
    expect(believes(3600, now_ms + 3_599_000, now_ms)).to.equal(true)
    expect(believes(-60, now_ms - 61_500, now_ms)).to.equal(true)
    expect(believes(3600, now_ms, now_ms)).to.equal(false)
    expect(believes(3600, now_ms - 3_600_000, now_ms)).to.equal(false)
    expect(believes(3, now_ms + 3000, now_ms)).to.equal(false)
  })

  it('is heard while it is wrong', async () => {
    let ahead_ms = 0
    const answer = () => new Date(Date.now() + ahead_ms).toUTCString()
    const server = createHttpServer((_, response) => response.setHeader('date', answer()).end())
    const port = await listening(server)
    expect((await timeAt(port)) ?? 0).to.be.closeTo(Date.now(), 2000)
    let asked = 0
    expect(await hearsBelief(port, 3600, () => asked++ >= 2)).to.equal(false)
    ahead_ms = 3_600_000
    expect(await hearsBelief(port, 3600, () => false)).to.equal(true)
  })

  it('jumps once at a time', async function () {
    const folder = await mkdtemp(join(tmpdir(), 'florin-clock-'))
    keep(() => rm(folder, { recursive: true }))
    const clock = openClock(join(folder, 'clock'))
    if (clock === undefined) {
      this.skip()
      return
    }
    const first = clock.jump(5, 20)
    expect(await clock.jump(7, 1)).to.equal(false)
    expect(await first).to.equal(true)
    expect(await clock.jump(7, 1)).to.equal(true)
  })
})
