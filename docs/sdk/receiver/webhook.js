/**
 * A receiver's side of webhooks: whether a message is from Florin, and what it says. A plain ES
 * module without dependencies, for anything that has Web Crypto. Standard Webhooks, v1.
 *
 * Verify the bytes as they came: JSON that was parsed and written again has another signature.
 * A message may come more than once and in any order: remember ids (`webhook-id`) for some days and
 * drop what you have seen; of one object keep the event with the highest `version`.
 */

/** How old a message may be, or how far in the future: a copy that somebody kept is worth nothing. */
const TOLERANCE_S = 5 * 60

/**
 * @param {Uint8Array | string} body the raw body
 * @param {Record<string, string | undefined>} headers with names in lower case
 * @param {string[]} secrets `whsec_...`; two while one replaces the other
 * @param {number} now_s seconds since 1970
 * @returns the event: `{ id, type, object, version, data, created_at }`
 * @throws {Error} unless it is from whoever knows one of the secrets, just now
 */
export async function verifyWebhook(body, headers, secrets, now_s = Date.now() / 1000) {
  const id = headers['webhook-id'] ?? ''
  const timestamp = headers['webhook-timestamp'] ?? ''
  if (!/^[0-9]{1,12}$/.test(timestamp) || id === '') throw new Error('not a webhook')
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const offered = (headers['webhook-signature'] ?? '').split(' ', 8).map(signatureOf)
  const checks = secrets.flatMap((secret) =>
    offered.map((signature) => isSignedBy(secret, `${id}.${timestamp}.`, bytes, signature)),
  )
  if (!(await Promise.all(checks)).includes(true)) throw new Error('the signature is wrong')
  if (Math.abs(now_s - Number(timestamp)) > TOLERANCE_S) throw new Error('the message is too old')
  return JSON.parse(new TextDecoder().decode(bytes))
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))

const signatureOf = (text) =>
  /^v1,[A-Za-z0-9+/]{43}=$/.test(text) ? bytesOf(text.slice(3)) : new Uint8Array()

/** In a time that says nothing about how much of it is right. */
async function isSignedBy(secret, head, body, signature) {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const raw = bytesOf(secret.replace(/^whsec_/, ''))
  const key = await crypto.subtle.importKey('raw', raw, hmac, false, ['verify'])
  const signed = new Uint8Array([...new TextEncoder().encode(head), ...body])
  return crypto.subtle.verify('HMAC', key, signature, signed)
}
