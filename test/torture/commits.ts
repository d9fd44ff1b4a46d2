/** Sees in what a client tells a Postgres when it asks it to commit. */

/** `Q` is a statement; `P` is one that is prepared, after its name. */
const COMMITS: ReadonlyMap<string, RegExp> = new Map([
  ['Q', /^commit\b/i],
  ['P', /^[^\0]*\0commit\b/i],
])
/** More of a statement is never needed. */
const TEXT_MAX = 80
const HEADER = 5

/**
 * For one connection, from its first byte on.
 * @returns what says of each chunk whether a COMMIT ends in it or before it since the last.
 */
export function openCommitWatch(): (chunk: Buffer) => boolean {
  // The first message has no type. Nobody here asks for TLS before it.
  let [isFirst, header, kind, left, text] = [true, '', '', 0, '']

  function take(chunk: Buffer, from: number): number {
    const length = Math.min(left, chunk.length - from)
    if (COMMITS.has(kind) && text.length < TEXT_MAX) {
      text += chunk.toString('latin1', from, from + Math.min(length, TEXT_MAX))
    }
    left -= length
    return from + length
  }

  return (chunk) => {
    let [at, found] = [0, false]
    while (at < chunk.length) {
      if (left > 0) {
        at = take(chunk, at)
      } else {
        header += chunk.toString('latin1', at, at + 1)
        at += 1
        if (header.length < (isFirst ? HEADER - 1 : HEADER)) continue
        kind = isFirst ? '' : header.slice(0, 1)
        left = Buffer.from(header.slice(-4), 'latin1').readUInt32BE() - 4
        ;[header, text, isFirst] = ['', '', false]
      }
      if (left === 0 && COMMITS.get(kind)?.test(text) === true) found = true
    }
    return found
  }
}
