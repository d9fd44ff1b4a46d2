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

/** A device as it was bound once. Whether it still is, its person's standing says. */
export interface Device {
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

const DEVICES_MAX = 10_000

/** Devices by id. What is known of one never changes, so it is looked up once and kept. */
export function openDevices(db: Knex): Load<Uuid, Device> {
  const known = new Map<Uuid, Device>()
  const find = openLoader<Uuid, Device>(async (ids) => {
    const columns = ['id', 'person_id', 'alg', 'thumbprint', 'jwk', 'created_at']
    const rows: Row[] = await db('devices').whereIn('id', ids).select(columns)
    return new Map(rows.map((row) => [row.id, fromRow(row)]))
  })
  return async (id) => {
    const device = known.get(id) ?? (await find(id))
    if (device === undefined || known.has(id)) return device
    // The oldest goes first: a Map remembers in which order its entries came.
    if (known.size >= DEVICES_MAX) known.delete(known.keys().next().value ?? '')
    known.set(id, device)
    return device
  }
}

function fromRow(row: Row): Device {
  const { id, person_id: person, alg, thumbprint, created_at: boundAt } = row
  const key = keyOf(row.jwk)
  if (key === undefined) throw new Error(`device key ${thumbprint} is none`)
  return { id, person, alg, thumbprint, boundAt, key }
}
