/** Whatever fails, and whoever dies: every event arrives, and the same event has the same id. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { merchant } from './support/people.ts'
import { openReceiver, type Receiver } from './support/receiver.ts'
import {
  happens,
  letTimePass,
  newEndpoint,
  removeEndpoint,
  spawnWorker,
} from './support/webhooks.ts'
import { world } from './support/world.ts'

const SEED = process.env['SEED'] ?? `${Date.now() % 100_000}`
const EVENTS = 240
const KILLS = 3
const SETTINGS = { WEBHOOK_TIMEOUT_MS: '1000', WEBHOOK_EVERY_MS: '50' }

/** From 0 to 99, the same for the same seed and turn. */
const chance = (turn: number) =>
  createHash('sha256').update(`${SEED} ${turn}`).digest().readUInt32BE() % 100

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('webhooks', function () {
  this.timeout(120_000)
  let workers: Awaited<ReturnType<typeof spawnWorker>>[] = []
  let receiver: Receiver
  after(async () => {
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')))
    await receiver.close()
  })

  it('arrive, all of them, at one that fails every fifth time while workers are killed', async () => {
    const { owner } = await world()
    const [shop, arrived] = [await merchant(), new Map<string, Set<string>>()]
    let [turn, refused] = [0, 0]
    receiver = await openReceiver((response, { id, object }) => {
      const dice = chance((turn += 1))
      if (dice < 20) refused += 1
      if (dice < 8) return response.destroy()
      if (dice < 20) return response.writeHead(500).end()
      const ids = arrived.get(object) ?? new Set()
      arrived.set(object, ids.add(id))
      // Some are read, and never answered because the worker is dead by then.
      return setTimeout(() => response.writeHead(204).end(), dice % 10)
    })
    const endpoint = await newEndpoint(shop, receiver.url)
    workers = await Promise.all([spawnWorker(SETTINGS), spawnWorker(SETTINGS)])
    const [told, killing]: [string[], AbortController] = [[], new AbortController()]
    const telling = (async () => {
      while (told.length < EVENTS || !killing.signal.aborted) {
        told.push(await happens(shop))
        await letTimePass(endpoint)
        await pause(10)
      }
    })()
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = receiver.got.length
      await receiver.until((got) => got.length > before + 20, 30_000)
      await workers[kill % 2]?.end('SIGKILL')
      workers[kill % 2] = await spawnWorker(SETTINGS)
    }
    killing.abort()
    await telling
    const started = performance.now()
    while (arrived.size < told.length && performance.now() - started < 60_000) {
      await letTimePass(endpoint)
      await pause(100)
    }
    expect([...arrived.keys()].sort(), `seed ${SEED}`).to.deep.equal(told.sort())
    expect([...arrived.values()].every((ids) => ids.size === 1)).to.equal(true)
    expect(receiver.atOnce()).to.be.at.most(4)
    const total = await owner('webhook_attempts').count({ count: '*' }).first()
    const counts = `${told.length} events, ${receiver.got.length} requests, ${refused} of them refused`
    process.stdout.write(`      ${counts}, ${KILLS} workers killed, seed ${SEED}\n`)
    expect(Number(total?.['count'])).to.be.at.least(told.length)
    expect(refused).to.be.greaterThan(told.length / 10)
    await removeEndpoint(shop, endpoint)
  })
})
