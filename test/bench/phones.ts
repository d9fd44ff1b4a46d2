/** Phones that agree to payments: a key for each, bound beforehand, and what it signs. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from 'node:crypto'
import type { Knex } from 'knex'
import { textOf } from '../../docs/sdk/approval.js'
import { newId } from '../../ledger/index.ts'
import { publicId } from '../../services/ids.ts'
import { DeviceJwk, thumbprintOf } from '../../services/approvals/device_keys.ts'

export interface Phone {
  /** The device's public id. */
  readonly device: string
  readonly jwk: JsonWebKey
}

/** Binds a phone to the person, as if they had done it with their PIN. */
export async function bindPhone(db: Knex, person: string): Promise<Phone> {
  const privateKey = newPrivateKey()
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' })
  const jwk = DeviceJwk.parse({ kty, crv, x, y })
  const row = { id: newId(), person_id: person, name: 'phone', jwk: JSON.stringify(jwk) }
  const how = { thumbprint: await thumbprintOf(jwk), alg: 'ES256', bound_by: 'pin' }
  await db('devices').insert({ ...row, ...how, created_at: new Date() })
  return { device: publicId('dev', row.id), jwk: privateKey.export({ format: 'jwk' }) }
}

/**
 * Read from its text: a key that Node 20 has just made must not be exported as a JWK, because a
 * garbage collection meanwhile waits for ever for the lock that the export holds.
 */
function newPrivateKey(): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
}

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs what the person pays, as their phone would. */
export function signer(person: string, { device, jwk }: Phone) {
  const key = {
    key: createPrivateKey({ key: jwk, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363',
  } as const
  const head = base64url({ alg: 'ES256', kid: device, typ: 'florin-approval+jws' })
  return (paid: Readonly<Record<'payee' | 'amount' | 'currency', string>>, request: string) => {
    const text = textOf({ action: 'payment', person, ...paid, key: request })
    const digest = createHash('sha256').update(text).digest('hex')
    const input = `${head}.${base64url({ digest, iat: Math.floor(Date.now() / 1000) })}`
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
  }
}
