/**
 * The café's side of webhooks: a real HTTP server on the verifier of docs/sdk, as a merchant would
 * run one. It believes nobody but who knows the secret of its endpoint, and keeps what it was told.
 */
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import getRawBody from 'raw-body'
import { z } from 'zod'
import { receiver } from '../../docs/sdk/receiver/koa.js'

export interface ShopOptions {
  readonly host: string
  readonly port: number
  /** The secret and what was received: a restart must not forget what it has said it got. */
  readonly file: string
}

export interface RunningShop {
  readonly url: string
  readonly stop: () => Promise<void>
}

const Trust = z.strictObject({ endpoint: z.string(), secret: z.string() })
const Received = z.object({
  ...{ id: z.string(), type: z.string(), object: z.string(), version: z.int() },
})
const Kept = z.strictObject({ trust: Trust.optional(), received: z.array(Received) })
type Kept = z.infer<typeof Kept>

const RECEIVED_MAX = 500
const BODY_LIMIT = '4kb'

export async function startShop({ host, port, file }: ShopOptions): Promise<RunningShop> {
  const shop = await openMemory(file)
  const webhooks = receiver(shop.secrets, (event) => shop.keep(Received.parse(event)), {
    add: async (id) => !shop.kept.received.some((one) => one.id === id),
  }).callback()
  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`
    if (asked === 'POST /webhooks') {
      void webhooks(request, response)
      return
    }
    void answer(shop, asked, request)
      .catch(() => ({ status: 400, json: {} }))
      .then(({ status, json }) => send(response, status, json))
  })
  server.listen(port, host)
  await once(server, 'listening')
  const { port: own } = server.address() as { port: number }
  return {
    url: `http://${host}:${own}`,
    async stop() {
      server.close()
      server.closeAllConnections()
      await shop.saved()
    },
  }
}

type Memory = Awaited<ReturnType<typeof openMemory>>

/** What the café's owner sees of it, and tells it. */
async function answer(
  shop: Memory,
  asked: string,
  request: IncomingMessage,
): Promise<{ readonly status: number; readonly json: object }> {
  const { trust, received } = shop.kept
  if (asked === 'GET /received') return { status: 200, json: { data: received } }
  if (asked === 'GET /endpoint') return { status: 200, json: { endpoint: trust?.endpoint ?? null } }
  if (asked !== 'PUT /endpoint') return { status: 404, json: {} }
  const body = await getRawBody(request, { limit: BODY_LIMIT, encoding: 'utf-8' })
  await shop.trust(Trust.parse(JSON.parse(body)))
  return { status: 200, json: {} }
}

function send(response: ServerResponse, status: number, json: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
}

async function openMemory(file: string) {
  const kept: Kept = await readFile(file, 'utf8').then(
    (text) => Kept.parse(JSON.parse(text)),
    () => ({ received: [] }),
  )
  const secrets = kept.trust === undefined ? [] : [kept.trust.secret]
  let saved: Promise<void> = Promise.resolve()
  /** Aside and renamed, one after the other: a crash leaves the one before or this one. */
  const save = () => {
    saved = saved
      .catch(() => {})
      .then(() => writeFile(`${file}.new`, JSON.stringify(kept), { mode: 0o600 }))
      .then(() => rename(`${file}.new`, file))
    return saved
  }
  return {
    kept,
    /** As the verifier reads them. */
    secrets,
    async trust(trust: z.infer<typeof Trust>): Promise<void> {
      kept.trust = trust
      secrets.splice(0, secrets.length, trust.secret)
      await save()
    },
    async keep(event: z.infer<typeof Received>): Promise<void> {
      kept.received.push(event)
      kept.received.splice(0, kept.received.length - RECEIVED_MAX)
      await save()
    },
    saved: () => saved.catch(() => {}),
  }
}
