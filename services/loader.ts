/** Many callers, one look: what is asked for while a query runs is asked together in the next. */

/** Rows by the key they were asked for; a key without a row is missing. */
export type Fetch<K, V> = (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>

export type Load<K, V> = (key: K) => Promise<V | undefined>

/** How many keys one query may ask for. */
const KEYS_MAX = 512

/**
 * A look at one row that shares its query with everybody else's. Nothing is remembered: who asks
 * sees what was committed before they asked.
 * @throws whatever `fetch` throws, to each of those who shared it.
 */
export function openLoader<K, V>(fetch: Fetch<K, V>): Load<K, V> {
  let waiting: Waiting<K, V>[] = []
  let isLooking = false

  async function look(): Promise<void> {
    isLooking = true
    while (waiting.length > 0) {
      const ours = waiting.slice(0, KEYS_MAX)
      waiting = waiting.slice(KEYS_MAX)
      try {
        const found = await fetch([...new Set(ours.map(({ key }) => key))])
        for (const { key, resolve } of ours) resolve(found.get(key))
      } catch (error) {
        for (const { reject } of ours) reject(error)
      }
    }
    isLooking = false
  }

  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject })
      if (!isLooking && waiting.length === 1) setImmediate(() => void look())
    })
}

interface Waiting<K, V> {
  readonly key: K
  readonly resolve: (value: V | undefined) => void
  readonly reject: (error: unknown) => void
}
