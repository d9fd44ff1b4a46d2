/** A list of names in memory, and who of them a name could be. */
import { isSameName, isSameWord, slipsOf, wordsOf } from './names.ts'

export interface ListIndex {
  readonly add: (name: string, entry: string) => void
  /** The entries of the names that are the same name, each once. */
  readonly entriesOf: (name: string) => readonly string[]
  /** How many names, aliases counted. */
  readonly size: () => number
}

interface Listed {
  readonly entry: string
  readonly words: readonly string[]
}

export function openListIndex(): ListIndex {
  const names: Listed[] = []
  const byWord = openSlips()
  const byLetters = new Map<string, number[]>()
  return {
    add(name, entry) {
      const words = wordsOf(name)
      if (words.length === 0) return
      const nth = names.push({ entry, words }) - 1
      for (const word of new Set(words)) byWord.add(word, nth)
      const letters = words.join('')
      const known = byLetters.get(letters)
      if (known === undefined) byLetters.set(letters, [nth])
      else known.push(nth)
    },
    entriesOf(name) {
      const words = wordsOf(name)
      const alike = new Set(byLetters.get(words.join('')))
      // Names of several words are the same only if two of their words are.
      const enough = Math.min(2, words.length)
      const counts = new Map<number, number>()
      for (const word of words) {
        for (const nth of byWord.find(word)) {
          const count = (counts.get(nth) ?? 0) + 1
          counts.set(nth, count)
          if (count === enough) alike.add(nth)
        }
      }
      const listed = [...alike].flatMap((nth) => names[nth] ?? [])
      const same = listed.filter((one) => isSameName(words, one.words))
      return [...new Set(same.map(({ entry }) => entry))]
    },
    size: () => names.length,
  }
}

/** Finds what was added under a word that is the same but for one slip. */
function openSlips() {
  const words = new Map<string, number[]>()
  const bySlip = new Map<string, string[]>()
  return {
    add(word: string, nth: number): void {
      const known = words.get(word)
      if (known !== undefined) {
        known.push(nth)
        return
      }
      words.set(word, [nth])
      for (const slip of slipsOf(word)) {
        const others = bySlip.get(slip)
        if (others === undefined) bySlip.set(slip, [word])
        else others.push(word)
      }
    },
    find(word: string): ReadonlySet<number> {
      const near = new Set(slipsOf(word).flatMap((slip) => bySlip.get(slip) ?? []))
      const same = [...near].filter((other) => isSameWord(word, other))
      return new Set(same.flatMap((other) => words.get(other) ?? []))
    },
  }
}
