/**
 * Killing anything in the middle of the story and starting again ends in the books of an
 * undisturbed run, with every instruction executed once at its bank.
 */
import { expect } from 'chai'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Florin, type Part, partsIn, startFlorin } from './support/florin.ts'
import { freePorts } from './support/ports.ts'

const READY = /^Florin is ready/
const PORTS = 6

interface Books {
  readonly accounts: readonly string[]
  readonly proof: boolean
  /** Per bank: how our money stands there, and how many lines its statement has. */
  readonly banks: readonly string[]
}

async function tokenOf(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port + 1}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'olga', scope: 'operator' }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}

/** What the story came to, without ids and times. */
async function booksOf(port: number): Promise<Books> {
  const headers = { authorization: `Bearer ${await tokenOf(port)}` }
  const get = async (path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).json() as Promise<never>
  const { data } = await get('/v1/accounts')
  const proof = await get('/v1/ledger/proof')
  const accounts = (
    data as { type: string; posted: { amount: string }; available: { amount: string } }[]
  )
    .map(({ type, posted, available }) => `${type} ${posted.amount} ${available.amount}`)
    .sort()
  const banks = await Promise.all(
    ['aurora', 'meridian'].map(async (bank) => {
      const found = await get(`/v1/banks/${bank}/reconciliation`)
      return JSON.stringify((found as { data: unknown }).data)
    }),
  )
  return { accounts, banks, proof: (proof as { proven: boolean }).proven }
}

function kill(florin: Florin, part: Part | 'everything'): void {
  if (part === 'everything') {
    process.kill(florin.pid, 'SIGKILL')
    return
  }
  const pid = florin.parts()[part]
  if (pid === undefined) throw new Error(`${part} does not run:\n${florin.lines.join('\n')}`)
  process.kill(pid, 'SIGKILL')
}

const nothingRuns = (dataDir: string, pid: number) =>
  Object.values(partsIn(dataDir, pid)).every((part) => part === undefined)

async function until(done: () => boolean, wait_ms: number): Promise<void> {
  const deadline = performance.now() + wait_ms
  while (!done()) {
    if (performance.now() > deadline) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('npm start', function () {
  this.timeout(120_000)
  const folders: string[] = []
  const started: Florin[] = []
  let undisturbed: Books

  async function folder(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'florin-crash-'))
    folders.push(made)
    return made
  }
  function start(dataDir: string, port: number, ...args: string[]): Florin {
    const florin = startFlorin(dataDir, port, ...args)
    started.push(florin)
    return florin
  }
  async function stop(florin: Florin): Promise<number | null> {
    process.kill(florin.pid, 'SIGINT')
    return florin.ended
  }
  after(async () => {
    for (const { pid, ended } of started) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended long ago.
      }
      await ended
    }
    for (const one of folders) {
      await until(() => nothingRuns(one, -1), 15_000)
      await rm(one, { recursive: true, force: true })
    }
  })

  it('plays the story, stops without a trace, and finds the same books again', async () => {
    const [dataDir, port] = [await folder(), await freePorts(PORTS)]
    const first = start(dataDir, port)
    await first.printed(READY)
    expect(await first.printed(/receives payment\.completed/)).to.match(/ verified /)
    undisturbed = await booksOf(port)
    expect(undisturbed.proof).to.equal(true)
    expect(await stop(first)).to.equal(0)
    expect(nothingRuns(dataDir, first.pid), 'processes left behind').to.equal(true)
    const second = start(dataDir, port)
    await second.printed(READY)
    expect(await second.printed(/receives payment\.completed/)).to.match(/ verified /)
    expect(await second.printed(/asks for webhooks/)).to.match(/ as before /)
    expect(await booksOf(port)).to.deep.equal(undisturbed)
    expect(await stop(second)).to.equal(0)
  })

  type Case = readonly [Part | 'everything', RegExp]
  /** A story is half a minute of a processor: the others have theirs in the long run. */
  const LONG: readonly Case[] = [
    ['api', /links an account at meridian/],
    ['worker', /takes Café Sol on/],
    ['sandbox', /pays the order/],
  ]
  const CASES: readonly Case[] = [
    ['postgres', /pays @bob/],
    ['everything', /tops up/],
    ...(process.env['RUN_LONG'] === undefined ? [] : LONG),
  ]
  /** All at once: each mostly waits, for a bank or for a lease of somebody who is dead. */
  const runs = new Map<string, Promise<Books>>()
  async function killed(part: Part | 'everything', moment: RegExp): Promise<Books> {
    const [dataDir, port] = [await folder(), await freePorts(PORTS)]
    const florin = start(dataDir, port)
    await florin.printed(moment)
    // A little later something is on its way.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120))
    kill(florin, part)
    const last = part === 'everything' ? start(dataDir, port) : florin
    await last.printed(READY)
    const books = await booksOf(port)
    expect(await stop(last)).to.equal(0)
    return books
  }

  for (const [part] of CASES) {
    it(`ends in the same books when ${part} is killed in mid-story (abuse 63, 66)`, async () => {
      if (runs.size === 0) {
        for (const [one, moment] of CASES) {
          const run = killed(one, moment)
          // Whoever waits for it hears of it.
          run.catch(() => {})
          runs.set(one, run)
        }
      }
      expect(await runs.get(part)).to.deep.equal(undisturbed)
    })
  }

  it('says in one line that a port is taken', async () => {
    const { createServer } = await import('node:http')
    const port = await freePorts(PORTS)
    const taken = createServer().listen(port, '127.0.0.1')
    const florin = start(await folder(), port)
    expect(await florin.ended).to.equal(1)
    expect(florin.lines).to.deep.equal([
      `florin cannot start: port ${port} is taken; start with PORT=... set to another`,
    ])
    await new Promise((closed) => taken.close(closed))
  })
})
