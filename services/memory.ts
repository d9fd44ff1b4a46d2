/**
 * A bounded map for facts that never change once they are true: who an alias is, where a wallet is.
 * What can be erased is remembered for a while only.
 */

export interface Memory {
  /** The remembered value, or the one that `find` gives; undefined is not remembered. */
  recall<V>(key: string, find: () => Promise<V>, for_ms?: number): Promise<V>
  /** The remembered value, without looking anywhere. */
  known(key: string): unknown
  keep(key: string, value: unknown, for_ms?: number): void
  forget(key: string): void
}

interface Entry {
  readonly value: unknown
  /** Milliseconds since 1970. */
  readonly until: number
}

export function openMemory(entriesMax: number, now: () => Date): Memory {
  const entries = new Map<string, Entry>()

  function known(key: string): unknown {
    const entry = entries.get(key)
    if (entry === undefined) return undefined
    // Few facts ever end, and only these have to know what time it is.
    if (entry.until === Infinity || entry.until > now().getTime()) return entry.value
    entries.delete(key)
    return undefined
  }

  function keep(key: string, value: unknown, for_ms = Infinity): void {
    // The oldest goes first: a Map remembers in which order its entries came.
    const [oldest] = entries.keys()
    if (entries.size >= entriesMax && oldest !== undefined) entries.delete(oldest)
    const until = for_ms === Infinity ? Infinity : now().getTime() + for_ms
    entries.set(key, { value, until })
  }

  return {
    known,
    keep,
    forget: (key) => void entries.delete(key),
    async recall<V>(key: string, find: () => Promise<V>, for_ms?: number) {
      const remembered = known(key)
      if (remembered !== undefined) return remembered as V
      const found = await find()
      if (found !== undefined) keep(key, found, for_ms)
      return found
    },
  }
}
