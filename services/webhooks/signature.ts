/**
 * Standard Webhooks signatures, v1: HMAC-SHA256 over `id.timestamp.body`, one for each secret that
 * is good. Source: github.com/standard-webhooks/standard-webhooks, spec 1.0.0.
 */
import { createHmac, randomBytes } from 'node:crypto'

const SECRET_BYTES = 32

export const newSecret = (): Buffer => randomBytes(SECRET_BYTES)

/** As its owner is told, once. */
export const secretText = (secret: Buffer): string => `whsec_${secret.toString('base64')}`

/** @param id the same for every copy of a message: by it receivers know that they have seen it. */
export function signedHeaders(secrets: readonly Buffer[], id: string, now: Date, body: string) {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const signatures = secrets.map((secret) => {
    const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body)
    return `v1,${mac.digest('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}
