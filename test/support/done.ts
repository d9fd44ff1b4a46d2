/** What a client's journal says of a request that was done at once. */
import type { Entry } from '../torture/journal.ts'

let keys = 0
/** Asked and done. */
export function done(
  who: string,
  path: string,
  id: string,
  body: Record<string, unknown> = {},
): Entry[] {
  const [key, text] = [`key-${(keys += 1)}`, JSON.stringify({ id })]
  return [
    { kind: 'asks', key, who, path, body, at_ms: 0 },
    { kind: 'answered', key, status: 201, text, isReplayed: false, at_ms: 0, doubt_ms: 0 },
  ]
}
