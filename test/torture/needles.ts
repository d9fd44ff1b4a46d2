/**
 * Many long needles looked for in one pass, however many there are: whoever holds one holds the
 * piece of it that covers the next of the places at which the text is looked at.
 */

/** How much of a text is looked at in one place. */
const PIECE = 12

/** From there on a text is found by its pieces. */
export const LONG = 32

/** @returns whether a text holds any of them, each at least `LONG`, wherever it begins. */
export function openNeedles(needles: readonly string[]): (text: string) => boolean {
  if (needles.some(({ length }) => length < LONG)) throw new Error('a needle is too short')
  // A needle from any place on covers a whole piece that begins at a multiple of this.
  const step = LONG - PIECE + 1
  const byPiece = new Map<string, { readonly needle: string; readonly at: number }[]>()
  for (const needle of new Set(needles)) {
    for (let at = 0; at < step; at += 1) {
      const piece = needle.slice(at, at + PIECE)
      const held = byPiece.get(piece)
      if (held === undefined) byPiece.set(piece, [{ needle, at }])
      else held.push({ needle, at })
    }
  }
  return (text) => {
    for (let place = 0; place + PIECE <= text.length; place += step) {
      const held = byPiece.get(text.slice(place, place + PIECE))
      if (held?.some(({ needle, at }) => text.startsWith(needle, place - at)) === true) return true
    }
    return false
  }
}
