/**
 * A forwarder of HTTP requests that does some of them twice, and lets some be overtaken: what a
 * network in between can do to a request only if it knows where one ends.
 */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request as open } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf } from '../support/random.ts'
import { type Faulty, portOf } from './proxy.ts'

const FAULTS = ['duplicate', 'swap'] as const
type RequestFault = (typeof FAULTS)[number]

export interface ForwarderOptions {
  readonly port?: number
  /** Ports here; each request goes to the next of them, and so does its second copy. */
  readonly targets: readonly number[]
  readonly seed: number
  /** The share of requests that go wrong, 0 to 1. */
  readonly rate: number
  readonly faults?: readonly RequestFault[]
}

/** The longest that a request waits for another to overtake it. */
const SWAP_MAX_MS = 1_000

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly body: Buffer
}

interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

export async function openForwarder(options: ForwarderOptions): Promise<Faulty & { port: number }> {
  const { targets, seed, rate, faults = FAULTS, port = 0 } = options
  const [random, counts, agent] = [randomOf(seed), {} as Record<string, number>, keepingAlive()]
  let [isCalm, turn] = [false, 0]
  const overtaken = new Set<() => void>()
  const draw = () =>
    isCalm || random() >= rate ? undefined : faults[Math.floor(random() * faults.length)]
  const send = (sent: Sent) => sendTo(agent, targets[turn++ % targets.length] ?? 0, sent)

  async function forward(sent: Sent): Promise<Answer> {
    const fault = draw()
    if (fault !== undefined) counts[fault] = (counts[fault] ?? 0) + 1
    if (fault === 'swap') {
      const passed = new Promise<void>((resolve) => overtaken.add(resolve))
      await Promise.race([passed, sleep(SWAP_MAX_MS)])
      return send(sent)
    }
    const copies = fault === 'duplicate' ? [send(sent), send(sent)] : [send(sent)]
    // Whoever asked hears one of the answers; which one is as good as the other.
    const answer = await Promise.any(copies)
    for (const one of overtaken) one()
    overtaken.clear()
    return answer
  }

  const server = createServer((asked, response) => {
    read(asked)
      .then(forward)
      .then(({ status, headers, body }) => response.writeHead(status, [...headers]).end(body))
      // The connection breaks, as it would without anybody in between.
      .catch(() => asked.socket.destroy())
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    port: portOf(server),
    counts: () => ({ ...counts }),
    calm: () => void (isCalm = true),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
}

const keepingAlive = () => new Agent({ keepAlive: true, maxSockets: 64 })

async function read(asked: IncomingMessage): Promise<Sent> {
  const { method = 'GET', url: path = '/', rawHeaders: headers } = asked
  return { method, path, headers: ofMessage(headers), body: await bodyOf(asked) }
}

/** What belongs to one connection is not passed on. */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length'])

function ofMessage(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const [name = '', value = ''] = raw.slice(index, index + 2)
    if (!OF_CONNECTION.has(name.toLowerCase())) kept.push(name, value)
  }
  return kept
}

async function sendTo(agent: Agent, port: number, sent: Sent): Promise<Answer> {
  const { method, path, body } = sent
  const headers = [...sent.headers, 'content-length', `${body.length}`]
  const request = open({ ...{ host: '127.0.0.1', port, method, path, agent, headers } })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const answer = await bodyOf(response)
  return {
    status: response.statusCode ?? 0,
    headers: [...ofMessage(response.rawHeaders), 'content-length', `${answer.length}`],
    body: answer,
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
