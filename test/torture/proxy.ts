/**
 * A link between two processes that fails: a TCP proxy that cuts, holds back and drips, drawn from
 * a seed. It knows nothing of what is said but who speaks: an exchange begins when the client says
 * something after the server has.
 */
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf } from '../support/random.ts'
import { openCommitWatch } from './commits.ts'

const FAULTS = [
  /** Nobody hears the request. */
  'cut_before',
  /** It is heard, and nobody hears the answer. */
  'cut_reply',
  /** Half of the answer is heard. */
  'cut_mid_reply',
  'delay',
  /** Both ways are silent, and open; then all that was said arrives. */
  'half_open',
  /** The answer drips. */
  'trickle',
] as const

/** Of a Postgres: whoever committed never learns that it did. */
const COMMIT_FAULTS = ['cut_commit_sent', 'cut_commit_answered'] as const

export type LinkFault = (typeof FAULTS)[number] | (typeof COMMIT_FAULTS)[number]

export interface LinkOptions {
  /** 0 for any free one. */
  readonly port?: number
  /** Each connection goes to the next of them. */
  readonly targets: readonly NetConnectOpts[]
  readonly seed: number
  /** The share of exchanges that go wrong, 0 to 1. */
  readonly rate: number
  /** The share of commits of a Postgres that nobody hears of. */
  readonly commitRate?: number
  /** The longest that something is held back. */
  readonly hold_ms: number
  /** All faults unless told. */
  readonly faults?: readonly LinkFault[]
}

/** What goes wrong by a plan, is counted by kind, and stops when told. */
export interface Faulty {
  readonly counts: () => Readonly<Record<string, number>>
  /** From then on nothing more goes wrong. */
  readonly calm: () => void
  readonly close: () => Promise<void>
}

export interface Link extends Faulty {
  readonly port: number
}

export async function openLink(options: LinkOptions): Promise<Link> {
  const { targets, port = 0 } = options
  const plan = openPlan(options)
  const sockets = new Set<Socket>()
  let turn = 0
  const server = createServer({ noDelay: true }, (client) => {
    const target = targets[turn++ % targets.length]
    if (target === undefined) throw new Error('a link leads somewhere')
    const far = connect({ ...target, noDelay: true })
    for (const socket of [client, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    join(client, far, plan)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    port: portOf(server),
    ...{ counts: () => ({ ...plan.counts }), calm: plan.calm },
    async close() {
      plan.calm()
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

interface Plan {
  readonly counts: Record<string, number>
  readonly count: (fault: LinkFault) => void
  readonly calm: () => void
  readonly isCalm: () => boolean
  readonly draw: () => LinkFault | undefined
  readonly drawForCommit: () => LinkFault | undefined
  readonly watchesCommits: boolean
  /** Some time, and less when all is to be calm. */
  readonly hold: () => Promise<void>
}

function openPlan({ seed, rate, commitRate = 0, hold_ms, faults = FAULTS }: LinkOptions): Plan {
  const [random, calmed] = [randomOf(seed), new AbortController()]
  const counts: Record<string, number> = {}
  const pick = (all: readonly LinkFault[], share: number) =>
    calmed.signal.aborted || random() >= share ? undefined : all[Math.floor(random() * all.length)]
  return {
    counts,
    count: (fault) => (counts[fault] = (counts[fault] ?? 0) + 1),
    calm: () => calmed.abort(),
    isCalm: () => calmed.signal.aborted,
    draw: () => pick(faults, rate),
    drawForCommit: () => pick(COMMIT_FAULTS, commitRate),
    watchesCommits: commitRate > 0,
    async hold() {
      await sleep(hold_ms * random(), undefined, { signal: calmed.signal }).catch(() => {})
    },
  }
}

/** What the two directions of a connection know of each other. */
interface Exchange {
  /** Who has spoken last: an exchange begins when it was the server. */
  last: 'client' | 'server'
  fault: LinkFault | undefined
  /** While it is not resolved nothing goes either way. */
  held: Promise<void> | undefined
  /** Nobody listens to the server any more. */
  isOver: boolean
}

function join(client: Socket, server: Socket, plan: Plan): void {
  const exchange: Exchange = { last: 'server', fault: undefined, held: undefined, isOver: false }
  const cut = () => {
    client.destroy()
    server.destroy()
  }
  up(client, server, plan, exchange).catch(cut)
  down(client, server, plan, exchange).catch(cut)
}

/** From the client to the server. A socket that is read to its end, or no more, is closed. */
async function up(client: Socket, server: Socket, plan: Plan, exchange: Exchange): Promise<void> {
  const watch = plan.watchesCommits ? openCommitWatch() : undefined
  for await (const chunk of client as AsyncIterable<Buffer>) {
    if (exchange.last === 'server') exchange.fault = plan.draw()
    exchange.last = 'client'
    const { fault } = exchange
    if (fault === 'cut_before') {
      plan.count(fault)
      throw new Error(fault)
    }
    if (fault === 'delay' || fault === 'half_open') await holdBack(exchange, fault, plan)
    await exchange.held
    if (watch?.(chunk) === true) exchange.fault = plan.drawForCommit() ?? exchange.fault
    if (exchange.fault === 'cut_commit_sent') {
      plan.count(exchange.fault)
      // What is on its way still arrives; whoever sent it is cut off.
      exchange.isOver = true
      server.end(chunk)
      return
    }
    await write(server, chunk)
  }
  server.end()
}

async function holdBack(exchange: Exchange, fault: 'delay' | 'half_open', plan: Plan) {
  plan.count(fault)
  exchange.fault = undefined
  const held = plan.hold()
  if (fault === 'half_open') exchange.held = held
  await held
}

/** From the server to the client. */
async function down(client: Socket, server: Socket, plan: Plan, exchange: Exchange): Promise<void> {
  for await (const chunk of server as AsyncIterable<Buffer>) {
    if (exchange.isOver) continue
    exchange.last = 'server'
    await exchange.held
    const { fault } = exchange
    // Before that it speaks of what came before the commit.
    if (fault === 'cut_commit_answered' && !chunk.includes(COMMITTED)) {
      await write(client, chunk)
      continue
    }
    exchange.fault = undefined
    if (fault !== undefined) plan.count(fault)
    if (fault === 'trickle') {
      await drip(client, chunk, plan)
      continue
    }
    if (fault === 'cut_mid_reply') await write(client, chunk.subarray(0, chunk.length / 2))
    if (fault !== undefined) throw new Error(fault)
    await write(client, chunk)
  }
  client.end()
}

/** As a Postgres says that it has. */
const COMMITTED = Buffer.from('COMMIT\0')

/** Bytes that come one by one; whatever is left then comes at once. */
const DRIPS = 40
const DRIP_MS = 100

async function drip(client: Socket, chunk: Buffer, { isCalm }: Plan): Promise<void> {
  let index = 0
  for (; index < Math.min(DRIPS, chunk.length) && !isCalm(); index += 1) {
    await write(client, chunk.subarray(index, index + 1))
    await sleep(DRIP_MS)
  }
  await write(client, chunk.subarray(index))
}

/** @throws {Error} when the other side is gone. */
async function write(socket: Socket, chunk: Buffer): Promise<void> {
  if (socket.destroyed) throw new Error('the other side is gone')
  if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
}
