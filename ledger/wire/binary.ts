/**
 * Values in Postgres's binary formats: many of them are cheaper to make, to send and to read than
 * text. They are written one after another on one page, and taken off it as a copy.
 */

const PAGE_BYTES = 64 * 1024
let page = Buffer.allocUnsafeSlow(PAGE_BYTES)
let view = new DataView(page.buffer)
let end = 0

/** The bytes that `write` puts on the page. Nothing else may write meanwhile. */
export function bytesOf(write: () => void): Buffer {
  end = 0
  write()
  return Buffer.from(page.subarray(0, end))
}

/** Makes room for so many more bytes. */
function reserve(bytes: number): void {
  if (end + bytes <= page.length) return
  const larger = Buffer.allocUnsafeSlow(2 * page.length + bytes)
  page.copy(larger, 0, 0, end)
  page = larger
  view = new DataView(page.buffer)
}

export function putBytes(bytes: Buffer): void {
  reserve(bytes.length)
  end += bytes.copy(page, end)
}

export function putInt16(value: number): void {
  reserve(2)
  page[end++] = value >>> 8
  page[end++] = value
}

function putInt32(value: number): void {
  reserve(4)
  page[end++] = value >>> 24
  page[end++] = value >>> 16
  page[end++] = value >>> 8
  page[end++] = value
}

/** The value of a hexadecimal digit by its character code; 255 for every other character. */
const DIGITS = new Uint8Array(65_536).fill(255)
for (let digit = 0; digit < 16; digit++) {
  DIGITS[digit.toString(16).charCodeAt(0)] = digit
  DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}

const UUID_LENGTH = 36

export function putUuid(uuid: string): void {
  reserve(20)
  putInt32(16)
  let faults = uuid.length ^ UUID_LENGTH
  for (let index = 0; index < UUID_LENGTH; index += 2) {
    if (index === 8 || index === 13 || index === 18 || index === 23) index += 1
    const high = DIGITS[uuid.charCodeAt(index)] as number
    const low = DIGITS[uuid.charCodeAt(index + 1)] as number
    faults |= (high | low) & 0xf0
    page[end++] = (high << 4) | low
  }
  if (faults !== 0) throw new Error('not a uuid')
}

export function putBigint(value: bigint): void {
  reserve(12)
  putInt32(8)
  // Unlike a method of Buffer, this is no call at all once it is compiled. It does not check.
  if (BigInt.asIntN(64, value) !== value) throw new RangeError('more than 64 bits')
  view.setBigInt64(end, value)
  end += 8
}

/** Bytes as a value of their own. */
export function putBytea(bytes: Buffer): void {
  reserve(4)
  putInt32(bytes.length)
  putBytes(bytes)
}

export function putText(text: string): void {
  // No character takes more than three bytes for each of its code units.
  reserve(4 + 3 * text.length)
  const bytes = page.write(text, end + 4)
  putInt32(bytes)
  end += bytes
}

/** Postgres counts microseconds from the beginning of 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1)

export const putTime = (time: Date): void => putBigint(BigInt(time.getTime() - EPOCH_MS) * 1000n)

/** Every field is led by the number of its bytes; without a value that is -1. */
export function putOptional<T>(put: (value: T) => void, value: T | null): void {
  if (value === null) putInt32(-1)
  else put(value)
}

/** The numbers by which Postgres knows the types of elements, fixed for ever. */
const TYPES = { uuid: 2950, bigint: 20, tid: 27 } as const

/** An array parameter: one dimension, counted from 1. */
const arrayOf = <T>(type: number, elements: readonly T[], put: (element: T) => void): Buffer =>
  bytesOf(() => {
    putInt32(elements.length === 0 ? 0 : 1)
    putInt32(0)
    putInt32(type)
    if (elements.length === 0) return
    putInt32(elements.length)
    putInt32(1)
    for (const element of elements) put(element)
  })

export const uuidsOf = (uuids: readonly string[]): Buffer => arrayOf(TYPES.uuid, uuids, putUuid)

export const bigintsOf = (values: readonly bigint[]): Buffer =>
  arrayOf(TYPES.bigint, values, putBigint)

/** Where rows lie, as Postgres says it: '(7,12)' is the twelfth of page 7. */
export const placesOf = (places: readonly string[]): Buffer => arrayOf(TYPES.tid, places, putPlace)

function putPlace(place: string): void {
  const comma = place.indexOf(',')
  const [sheet, row] = [Number(place.slice(1, comma)), Number(place.slice(comma + 1, -1))]
  if (!Number.isInteger(sheet) || !Number.isInteger(row)) throw new Error('not a place')
  putInt32(6)
  putInt32(sheet)
  putInt16(row)
}
