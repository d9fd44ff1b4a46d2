/** The café has itself told of payments, at its shop, which verifies what it is told. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CAFE } from './cast.ts'
import { type Answer, type Client, patiently, send } from './client.ts'
import { cafe, step, type Tell } from './steps.ts'

const TYPES = ['payment.*', 'refund.*', 'settlement.*']

/** How long is waited for a webhook, after which it is asked for again, and how often is looked. */
const [PATIENCE_MS, ASK_AGAIN_MS, PAUSE_MS] = [60_000, 3_000, 50]

/**
 * An endpoint whose secret the shop knows. A secret is told once: where the story broke off before
 * the shop had it, the endpoint gets another.
 */
export async function askForWebhooks(client: Client, tell: Tell, shopUrl: string): Promise<void> {
  const url = `${shopUrl}/webhooks`
  await step(tell, CAFE.name, 'asks for webhooks', async () => {
    const { endpoint: trusted } = await shopSays(shopUrl, '/endpoint')
    const known = await client.call(cafe, { path: '/v1/webhook_endpoints' })
    const ids = (known.body['data'] as readonly { id: string; url: string }[])
      .filter((one) => one.url === url)
      .map(({ id }) => id)
    const own = ids.find((id) => id === trusted) ?? ids[0]
    // Made by a call whose answer was lost: nobody knows what it signs with.
    for (const id of ids.filter((one) => one !== own)) {
      await client.call(cafe, { method: 'DELETE', path: `/v1/webhook_endpoints/${id}` })
    }
    if (own !== undefined && own === trusted) return { status: 200, replayed: true, body: {} }
    const issued = await issue(client, own, url)
    if (issued.status >= 400) return issued
    const { id: endpoint, secret } = issued.body
    await patiently(() =>
      send(`${shopUrl}/endpoint`, { method: 'PUT', body: { endpoint, secret } }),
    )
    return issued
  })
}

function issue(client: Client, own: string | undefined, url: string): Promise<Answer> {
  const path = '/v1/webhook_endpoints'
  if (own === undefined)
    return client.call(cafe, { method: 'POST', path, body: { url, types: TYPES } })
  return client.call(cafe, { method: 'POST', path: `${path}/${own}/rotate` })
}

/** Waits until the shop has it, verified. What the shop missed while it was down is replayed. */
export async function webhookOf(
  client: Client,
  tell: Tell,
  shopUrl: string,
  { type, object, from }: { readonly type: string; readonly object: string; readonly from: string },
): Promise<void> {
  await step(
    tell,
    CAFE.name,
    `receives ${type}`,
    async () => {
      const started = performance.now()
      for (let asked = 1; ;) {
        const { data } = await shopSays(shopUrl, '/received')
        const events = data as readonly { type: string; object: string }[]
        if (events.some((one) => one.type === type && one.object === object)) break
        const waited_ms = performance.now() - started
        if (waited_ms > PATIENCE_MS) throw new Error(`${type} did not arrive in a minute`)
        if (waited_ms > asked * ASK_AGAIN_MS) {
          asked += 1
          await replay(client, shopUrl, from)
        }
        await sleep(PAUSE_MS)
      }
      return { status: 200, replayed: false, body: {} }
    },
    () => ({ state: 'verified' }),
  )
}

async function replay(client: Client, shopUrl: string, from: string): Promise<void> {
  const { endpoint } = await shopSays(shopUrl, '/endpoint')
  const path = `/v1/webhook_endpoints/${String(endpoint)}/replay`
  await client.call(cafe, { method: 'POST', path, body: { from } })
}

async function shopSays(shopUrl: string, path: string): Promise<Record<string, unknown>> {
  const response = await patiently(() => send(`${shopUrl}${path}`, { method: 'GET' }))
  return (await response.json()) as Record<string, unknown>
}
