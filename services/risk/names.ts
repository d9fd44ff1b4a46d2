/**
 * When two names are the same name. Pure.
 *
 * A name is its words, without case, accents and punctuation, in any order. Two names match when
 * each word of the one with fewer words has a word of its own in the other, so middle names may be
 * missing; or when they are the same letters, however divided into words. Words of four letters and
 * more may differ by one slip: a letter more, less, other, or two swapped. One word alone is no
 * part of a longer name: it must be all of it.
 *
 * That errs on the side of a match: a person looks at it. Names in another script do not match; the
 * list must carry them as aliases.
 */

/** Letters that Unicode does not take apart, as they are written without them. */
const PLAIN: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ı: 'i', ħ: 'h' },
}
const SLIP_LETTERS_MIN = 4
/** Longer names are cut: no list has any, and each word costs. */
const WORDS_MAX = 16
const LETTERS_MAX = 200

/** The words of a name, for comparing. */
export function wordsOf(name: string): readonly string[] {
  const plain = name
    .slice(0, LETTERS_MAX)
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\p{M}'’ʼ`.]/gu, '')
    .replaceAll(/[ßæœøđðþłıħ]/g, (letter) => PLAIN[letter] ?? letter)
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, WORDS_MAX)
}

/** The word, and the word without each of its letters: words one slip apart share one of these. */
export function slipsOf(word: string): readonly string[] {
  const slips = new Set([word])
  if (word.length < SLIP_LETTERS_MIN) return [word]
  for (let at = 0; at < word.length; at += 1) slips.add(word.slice(0, at) + word.slice(at + 1))
  return [...slips]
}

/** Whether two words are the same but for one slip. */
export function isSameWord(one: string, other: string): boolean {
  if (one === other) return true
  const [short, long] = one.length <= other.length ? [one, other] : [other, one]
  if (short.length < SLIP_LETTERS_MIN || long.length - short.length > 1) return false
  let from = 0
  while (from < short.length && short[from] === long[from]) from += 1
  if (long.length > short.length) return short.slice(from) === long.slice(from + 1)
  if (short.slice(from + 1) === long.slice(from + 1)) return true
  const isSwapped = short[from] === long[from + 1] && short[from + 1] === long[from]
  return isSwapped && short.slice(from + 2) === long.slice(from + 2)
}

export function isSameName(one: readonly string[], other: readonly string[]): boolean {
  if (one.length === 0 || other.length === 0) return false
  if (one.join('') === other.join('')) return true
  const [few, many] = one.length <= other.length ? [one, other] : [other, one]
  if (few.length === 1 && many.length > 1) return false
  return isPaired(few, many)
}

/**
 * Whether each of the few words has one of the many to itself: a matching in which who came first
 * makes room for a later one if it can (Kuhn), so that many like words cost no more than others.
 */
function isPaired(few: readonly string[], many: readonly string[]): boolean {
  const takenBy = new Map<number, number>()
  function place(at: number, tried: Set<number>): boolean {
    return many.some((word, other) => {
      if (tried.has(other) || !isSameWord(few[at] ?? '', word)) return false
      tried.add(other)
      const holder = takenBy.get(other)
      if (holder !== undefined && !place(holder, tried)) return false
      takenBy.set(other, at)
      return true
    })
  }
  return few.every((_, at) => place(at, new Set()))
}
