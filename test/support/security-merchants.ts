/** What merchants do that the security log must know of. */
import { call } from './api.ts'
import { merchant } from './people.ts'
import { byMerchant, type Occasion } from './security.ts'
import { newEndpoint } from './webhooks.ts'

const URL = 'http://127.0.0.1:9/'
const stage = async () => ({ shop: await merchant() })
async function withEndpoint() {
  const shop = await merchant()
  const { id } = await newEndpoint(shop, URL)
  return { shop, id }
}

const changes = (method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object) =>
  byMerchant(withEndpoint, async ({ shop, id }) => {
    await call(shop, method, `/v1/webhook_endpoints/${id}${path}`, body && { body })
    return id
  })

export const BY_MERCHANTS: readonly Occasion[] = [
  [
    'webhook_added',
    'a webhook endpoint',
    byMerchant(stage, async ({ shop }) => (await newEndpoint(shop, URL)).id),
  ],
  ['webhook_changed', 'another state of it', changes('PUT', '', { state: 'disabled' })],
  ['webhook_rotated', 'another secret of it', changes('POST', '/rotate')],
  ['webhook_removed', 'one that is not there any more', changes('DELETE', '')],
]
