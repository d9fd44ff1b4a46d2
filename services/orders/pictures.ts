/** QR codes as pictures. */
import { crc32, deflateSync } from 'node:zlib'
import { encodeQR } from 'qr'

/** Modules of white around it, as ISO/IEC 18004 asks for. */
const BORDER = 4
/** Pixels of a module: enough for paper and for screens. */
const SCALE = 8

export const qrSvg = (text: string): string => encodeQR(text, 'svg', { border: BORDER })

/** Black and white, one bit for each pixel. */
export const qrPng = (text: string): Buffer =>
  png(encodeQR(text, 'raw', { border: BORDER, scale: SCALE }))

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** One bit deep, grey; deflated, filtered line by line, not interlaced. */
const KIND = Buffer.from([1, 0, 0, 0, 0])

/** @param dark rows of pixels. Source: W3C, PNG Specification (Third Edition). */
function png(dark: readonly (readonly boolean[])[]): Buffer {
  const [width, height] = [dark[0]?.length ?? 0, dark.length]
  const size = Buffer.alloc(8)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  const lines = dark.map((row) => {
    // The first byte names the filter: none.
    const line = Buffer.alloc(1 + Math.ceil(width / 8))
    for (const [x, isDark] of row.entries()) {
      if (!isDark) line[1 + (x >> 3)]! |= 0x80 >> (x & 7)
    }
    return line
  })
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', Buffer.concat([size, KIND])),
    chunk('IDAT', deflateSync(Buffer.concat(lines))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data])
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}
