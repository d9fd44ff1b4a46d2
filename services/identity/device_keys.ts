/** The public keys of people's devices: what may be one, and which are bound right now. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { Knex } from 'knex'
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import { type Load, openLoader } from '../loader.ts'
import type { Algorithm } from './jws.ts'

const Coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** A public key and nothing else: `d`, the private part, is refused as every other property is. */
export const DeviceJwk = z
  .discriminatedUnion('kty', [
    z.strictObject({
      ...{ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate },
    }),
    z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: Coordinate }),
  ])
  .describe('A public key, P-256 or Ed25519, as a JWK without other properties')
export type DeviceJwk = z.infer<typeof DeviceJwk>

export const algorithmOf = ({ kty }: DeviceJwk): Algorithm => (kty === 'EC' ? 'ES256' : 'EdDSA')

/** RFC 7638. */
export const thumbprintOf = (jwk: DeviceJwk): Promise<string> => calculateJwkThumbprint(jwk)

/**
 * Points of Ed25519 of small order, without the sign: under such a key a signature can be made that
 * fits any message, by anybody. Source: libsodium, ge25519_has_small_order.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  ...['00', '01'].map((first) => first + '00'.repeat(31)),
  ...['ec', 'ed', 'ee'].map((first) => `${first}${'ff'.repeat(30)}7f`),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])

/** Undefined for what is not a point of its curve, or one that proves nothing. */
export function keyOf(jwk: DeviceJwk): KeyObject | undefined {
  try {
    const bytes = Buffer.from(jwk.x, 'base64url')
    if (bytes.toString('base64url') !== jwk.x) return undefined
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    bytes.writeUInt8(bytes.readUInt8(31) & 0x7f, 31)
    return jwk.kty === 'OKP' && SMALL_ORDER.has(bytes.toString('hex')) ? undefined : key
  } catch {
    return undefined
  }
}

/** A device that may agree in its person's name. */
export interface BoundDevice {
  readonly id: Uuid
  readonly person: Uuid
  readonly alg: Algorithm
  readonly thumbprint: string
  readonly key: KeyObject
  readonly boundAt: Date
}

interface Row {
  readonly id: Uuid
  readonly person_id: Uuid
  readonly alg: Algorithm
  readonly thumbprint: string
  readonly jwk: DeviceJwk
  readonly created_at: Date
}

/** Making a key ready costs half of a signature. */
const KEYS_MAX = 10_000

/** Whether a device is bound is asked at each use; many requests share one look. */
export function openDevices(db: Knex): Load<Uuid, BoundDevice> {
  const keys = new Map<string, KeyObject>()
  const readyKey = ({ thumbprint, jwk }: Row): KeyObject => {
    const known = keys.get(thumbprint)
    if (known !== undefined) return known
    const key = keyOf(jwk)
    if (key === undefined) throw new Error(`device key ${thumbprint} is none`)
    if (keys.size >= KEYS_MAX) keys.delete(keys.keys().next().value ?? '')
    keys.set(thumbprint, key)
    return key
  }
  return openLoader(async (ids) => {
    const columns = ['id', 'person_id', 'alg', 'thumbprint', 'jwk', 'created_at']
    const rows: Row[] = await db('devices')
      .whereIn('id', ids)
      .whereNull('revoked_at')
      .select(columns)
    return new Map(
      rows.map((row) => {
        const { id, person_id: person, alg, thumbprint, created_at: boundAt } = row
        return [id, { id, person, alg, thumbprint, boundAt, key: readyKey(row) }]
      }),
    )
  })
}
