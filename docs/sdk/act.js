/** What a person agrees to, as one text: byte for byte what Florin writes of the same request. */

/** The facts of each action, in the order in which they are written. */
export const ACTIONS = {
  payment: ['payee', 'amount', 'currency', 'order', 'source'],
  top_up: ['amount', 'currency', 'source'],
  withdrawal: ['amount', 'currency', 'source'],
  exchange: ['quote', 'amount', 'currency', 'buy_amount', 'buy_currency'],
  pin_reset: [],
  'device.bind': ['thumbprint', 'name'],
  no_pin_limit: ['limit'],
  'totp.enrol': [],
  'totp.remove': [],
  'totp.recovery_codes': [],
  'bank_account.confirm': ['bank_account', 'name'],
  erasure: [],
}

/** `key` is the Idempotency-Key of the request; a fact that is not there is left out. */
export function textOf({ action, person, key, ...facts }) {
  return [
    'florin-approval-v1',
    `action=${action}`,
    `person=${person}`,
    ...ACTIONS[action].map((name) => `${name}=${facts[name] ?? ''}`),
    `key=${key}`,
  ].join('\n')
}

/** SHA-256 of the text, in hex: what is signed, or encrypted beside the PIN. */
export async function digestOf(act) {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(textOf(act)))
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
