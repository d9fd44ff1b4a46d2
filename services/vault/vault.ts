/**
 * What must not be read by whoever holds the database alone: sealed with AES-256-GCM under keys
 * that the database never sees, each value bound to the place where it is kept.
 *
 * A sealed value is: version (1 byte), length of the key's id (1), its id, nonce (12), tag (16),
 * ciphertext. All before the nonce is authenticated, with the place.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomFillSync } from 'node:crypto'

/** Where a value is kept. Moved to another row or column it cannot be opened. */
export interface Place {
  readonly table: string
  /** The row's primary key. */
  readonly row: string
  readonly column: string
}

export interface DataKey {
  /** Stored with every value it seals: 1 to 32 characters, for ever this key's. */
  readonly kid: string
  /** 32 bytes. */
  readonly key: Buffer
}

export interface VaultKeys {
  /** The first one seals; the others only open what they sealed before. */
  readonly dataKeys: readonly DataKey[]
  /** Not a data key, so that look-ups go on working when those are replaced. */
  readonly blindIndexKey: Buffer
}

export interface Vault {
  /** The id of the key that seals. */
  readonly current: string
  readonly seal: (place: Place, value: Buffer | string) => Buffer
  /** @throws {VaultError} unless it was sealed here, by a key we have, and not changed since. */
  readonly open: (place: Place, sealed: Buffer) => Buffer
  /** The same 32 bytes for the same text in the same column: found by, and not readable. */
  readonly blindIndex: (where: Omit<Place, 'row'>, text: string) => Buffer
}

/** Never says what was inside, or what the key is. */
export class VaultError extends Error {
  override readonly name = 'VaultError'
}

const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

export function openVault({ dataKeys, blindIndexKey }: VaultKeys): Vault {
  const byKid = new Map(dataKeys.map((one) => [one.kid, one.key]))
  const [current] = dataKeys
  if (current === undefined) throw new VaultError('the vault has no key')
  const indexKeys = new Map<string, Buffer>()

  /** A key for each column: equal texts in two columns have nothing in common. */
  function indexKey(purpose: string): Buffer {
    const known = indexKeys.get(purpose)
    if (known !== undefined) return known
    const derived = Buffer.from(hkdfSync('sha256', blindIndexKey, '', purpose, KEY_BYTES))
    indexKeys.set(purpose, derived)
    return derived
  }

  return {
    current: current.kid,
    seal: (place, value) => sealWith(current, place, value),
    open(place, sealed) {
      const kid = kidOf(sealed)
      const key = kid === undefined ? undefined : byKid.get(kid)
      if (kid === undefined) throw new VaultError(`${named(place)} is not a sealed value`)
      if (key === undefined) throw new VaultError(`${named(place)}: no key ${kid} is configured`)
      return openWith(key, place, sealed)
    },
    blindIndex: ({ table, column }, text) =>
      createHmac('sha256', indexKey(`florin blind index\n${table}\n${column}`))
        .update(text)
        .digest(),
  }
}

/** The id of the key that sealed the value; undefined where it is none. */
export function kidOf(sealed: Buffer): string | undefined {
  const length = sealed[1] ?? 0
  const isWhole = sealed.length >= 2 + length + NONCE_BYTES + TAG_BYTES
  return sealed[0] === VERSION && isWhole ? sealed.toString('utf8', 2, 2 + length) : undefined
}

/** Random bytes cost less by the page; none is ever given out twice. */
const NONCES = Buffer.allocUnsafe(NONCE_BYTES * 256)
let given = NONCES.length

function newNonce(): Buffer {
  if (given === NONCES.length) {
    randomFillSync(NONCES)
    given = 0
  }
  return Buffer.from(NONCES.subarray(given, (given += NONCE_BYTES)))
}

export function sealWith({ kid, key }: DataKey, place: Place, value: Buffer | string): Buffer {
  const nonce = newNonce()
  const head = headOf(kid)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(boundTo(head, place))
  const text = typeof value === 'string' ? cipher.update(value, 'utf8') : cipher.update(value)
  const rest = cipher.final()
  return Buffer.concat([head, nonce, cipher.getAuthTag(), text, rest])
}

/** @throws {VaultError} */
export function openWith(key: Buffer, place: Place, sealed: Buffer): Buffer {
  const head = sealed.subarray(0, 2 + (sealed[1] ?? 0))
  const [nonceEnd, tagEnd] = [head.length + NONCE_BYTES, head.length + NONCE_BYTES + TAG_BYTES]
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(head.length, nonceEnd), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(boundTo(head, place)).setAuthTag(sealed.subarray(nonceEnd, tagEnd))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()])
  } catch {
    throw new VaultError(
      `${named(place)} was sealed elsewhere, under another key, or changed since`,
    )
  }
}

function headOf(kid: string): Buffer {
  const id = Buffer.from(kid)
  return Buffer.concat([Buffer.from([VERSION, id.length]), id])
}

/** Each part is led by its length: no two places are written alike. */
function boundTo(head: Buffer, { table, row, column }: Place): Buffer {
  const parts = [table, row, column].map((part) => `${Buffer.byteLength(part)}:${part}`)
  return Buffer.concat([head, Buffer.from(parts.join(''))])
}

const named = ({ table, row, column }: Place) => `${table}.${column} of ${row}`
