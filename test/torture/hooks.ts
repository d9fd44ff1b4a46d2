/**
 * Merchants who are told of what happens by webhooks, at a receiver that fails as receivers do. It
 * checks signatures by an arithmetic of its own, and remembers all that came.
 */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Ask } from './asking.ts'
import type { Shop } from './shops.ts'

/** A message that came, as often as it did. */
export interface Arrival {
  /** Whose endpoint it came to. */
  readonly shop: string
  readonly id: string
  readonly body: string
  /** Whether it was signed with the secret of that endpoint. */
  readonly isSigned: boolean
  /** Whether whoever sent it was told that it has arrived. */
  readonly isAccepted: boolean
}

/** What is answered instead of "accepted", and how often. */
const FAULTS = { error: 0.1, reset: 0.05, silence: 0.03 } as const

export interface Hooks {
  /** Registers an endpoint of the shop's, before it sells anything. */
  readonly listen: (ask: Ask, shop: Shop) => Promise<void>
  readonly arrivals: readonly Arrival[]
  /** Of the endpoints, without the word for what they are; nobody else may know them. */
  readonly secrets: () => readonly string[]
  readonly counts: () => Readonly<Record<string, number>>
  /** From then on all is accepted. */
  readonly calm: () => void
  readonly close: () => Promise<void>
}

/** @returns what goes wrong with this one; undefined where nothing does. */
function drawFault(drawn: number): keyof typeof FAULTS | undefined {
  let chance = drawn
  for (const [fault, share] of Object.entries(FAULTS)) {
    if (chance < share) return fault as keyof typeof FAULTS
    chance -= share
  }
  return undefined
}

export async function openHooks(random: () => number): Promise<Hooks> {
  const [secrets, arrivals] = [new Map<string, string>(), [] as Arrival[]]
  const counts: Record<string, number> = {}
  let isCalm = false

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await buffer(request)).toString()
    const path = request.url ?? ''
    const secret = secrets.get(path)
    if (secret === undefined) return void response.writeHead(204).end()
    const [fault, { headers }] = [drawFault(isCalm ? 1 : random()), request]
    const [, shop = ''] = path.split('/')
    arrivals.push({
      ...{ shop, id: String(headers['webhook-id']), body, isAccepted: fault === undefined },
      isSigned: isSigned(secret, headers, body),
    })
    if (fault !== undefined) counts[`webhook: ${fault}`] = (counts[`webhook: ${fault}`] ?? 0) + 1
    if (fault === undefined) response.writeHead(204).end()
    else if (fault === 'error') response.writeHead(500).end()
    else if (fault === 'reset') response.destroy()
  }

  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  return {
    ...{ arrivals, secrets: () => [...secrets.values()].map(bare), counts: () => counts },
    async listen(ask, { sub: who }) {
      const asked = { who, scope: 'merchant', path: '/v1/webhook_endpoints' } as const
      const url = `http://127.0.0.1:${port}/${who}`
      // A request that comes twice, maybe minutes later, makes another, whose secret nobody
      // learns: it goes on telling a path that nobody listens to.
      const body = { url: `${url}/draft`, types: ['*'] }
      const { body: made } = await ask({ ...asked, method: 'POST', body })
      secrets.set(`/${who}`, String(made['secret']))
      const moved = { ...asked, path: `${asked.path}/${String(made['id'])}`, body: { url } }
      const { status, text } = await ask({ ...moved, method: 'PUT' })
      if (status !== 200) throw new Error(`${who} cannot listen: ${text}`)
    },
    calm: () => void (isCalm = true),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const bare = (secret: string) => secret.replace(/^whsec_/, '')

/** Standard Webhooks, v1. */
function isSigned(secret: string, headers: IncomingMessage['headers'], body: string): boolean {
  const key = Buffer.from(bare(secret), 'base64')
  const signed = [headers['webhook-id'], headers['webhook-timestamp'], body].join('.')
  const mac = createHmac('sha256', key).update(signed).digest('base64')
  return String(headers['webhook-signature']).split(' ').includes(`v1,${mac}`)
}
