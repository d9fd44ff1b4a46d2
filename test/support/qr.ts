/** A camera, and a reader of QR codes that shares no code with what writes them. */
import jsqr from 'jsqr'
import { PNG } from 'pngjs'

/** Reads the QR code in an SVG made of squares, as a camera would see it. */
export function readQr(svg: string): string | undefined {
  const [, size = ''] = /viewBox="0 0 (\d+) \d+"/.exec(svg) ?? []
  const [, path = ''] = / d="([^"]+)"/.exec(svg) ?? []
  const [modules, scale] = [Number(size), 4]
  const side = modules * scale
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255)
  for (const [x, y] of squaresOf(path)) {
    for (let row = y * scale; row < (y + 1) * scale; row += 1) {
      for (let column = x * scale; column < (x + 1) * scale; column += 1) {
        pixels.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3)
      }
    }
  }
  return jsqr.default(pixels, side, side)?.data
}

/** `M2 2h1v1H2Z`, and from there on `m1 0h1v1h-1Z`: where each square begins. */
function squaresOf(path: string): [x: number, y: number][] {
  let [x, y] = [0, 0]
  return [...path.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)h1v1[Hh]-?\d+[Zz]/g)].map(
    ([, letter, across, down]) => {
      const [left, top] = letter === 'M' ? [0, 0] : [x, y]
      ;[x, y] = [left + Number(across), top + Number(down)]
      return [x, y]
    },
  )
}

/** Reads the QR code in a PNG, whoever has written it. */
export function readQrPng(bytes: Buffer): string | undefined {
  const { data, width, height } = PNG.sync.read(bytes)
  return jsqr.default(new Uint8ClampedArray(data), width, height)?.data
}
