/**
 * A bounded map for facts that never change once they are true: who an alias is, where a wallet is.
 */

export interface Memory {
  /** The remembered value, or the one that `find` gives; undefined is not remembered. */
  recall<V>(key: string, find: () => Promise<V>): Promise<V>
}

export function openMemory(entriesMax: number): Memory {
  const entries = new Map<string, unknown>()
  return {
    async recall<V>(key: string, find: () => Promise<V>) {
      const known = entries.get(key)
      if (known !== undefined) return known as V
      const found = await find()
      // The oldest goes first: a Map remembers in which order its entries came.
      const [oldest] = entries.keys()
      if (entries.size >= entriesMax && oldest !== undefined) entries.delete(oldest)
      if (found !== undefined) entries.set(key, found)
      return found
    },
  }
}
