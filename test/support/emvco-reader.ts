/** Reads what a merchant-presented QR code says, written from the format's description alone. */

export type Tags = ReadonlyMap<string, string>

/** Two digits of tag, two of length, then so many characters, again and again. */
export function readTags(payload: string): Tags {
  const tags = new Map<string, string>()
  let rest = payload
  while (rest.length > 0) {
    const head = /^(\d\d)(\d\d)/.exec(rest)
    if (head === null) throw new Error(`no tag and length at: ${rest}`)
    const [, tag = '', length = ''] = head
    const value = rest.slice(4, 4 + Number.parseInt(length, 10))
    if (value.length !== Number.parseInt(length, 10)) throw new Error(`${tag} ends too early`)
    if (tags.has(tag)) throw new Error(`${tag} is there twice`)
    tags.set(tag, value)
    rest = rest.slice(4 + value.length)
  }
  return tags
}

/**
 * CRC-16 of polynomial 1021, starting at FFFF: long division over all the bits, where the product
 * does it byte by byte.
 */
export function crcByDivision(text: string): string {
  const message = [...Buffer.from(text, 'latin1')]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
  const bits = [...message, ...'0'.repeat(16)].map((bit) => bit === '1')
  // To start at FFFF is to turn the first 16 bits over.
  for (let n = 0; n < 16; n += 1) bits[n] = !bits[n]
  const divisor = [...'10001000000100001'].map((bit) => bit === '1')
  for (let n = 0; n + 16 < bits.length; n += 1) {
    if (bits[n] === true)
      for (const [m, bit] of divisor.entries()) bits[n + m] = bits[n + m] !== bit
  }
  const rest = bits.slice(-16).map((bit) => (bit ? '1' : '0'))
  return Number.parseInt(rest.join(''), 2).toString(16).toUpperCase().padStart(4, '0')
}

/** The tags of a payload whose checksum, its last data object, is right. */
export function readChecked(payload: string): Tags {
  const tags = readTags(payload)
  if (!/6304[0-9A-F]{4}$/.test(payload)) throw new Error('the last tag is no checksum')
  if (tags.get('63') !== crcByDivision(payload.slice(0, -4))) throw new Error('wrong checksum')
  return tags
}
