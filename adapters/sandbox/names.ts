/** Whether a name is the account holder's, as a bank answers before a payment. */
export function compareNames(holder: string, given: string): 'match' | 'close_match' | 'no_match' {
  const [held, asked] = [holder.normalize('NFC'), given.normalize('NFC')]
  if (held === asked) return 'match'
  const [a, b] = [letters(held), letters(asked)]
  return b.length > 0 && atMostOneTypoApart(a, b) ? 'close_match' : 'no_match'
}

/** Case and spacing are how people write a name, not whose it is. */
const letters = (name: string) => Array.from(name.toLowerCase().replace(/\s+/gu, ''))

/** One letter wrong, missing, added, or swapped with the next: what stays between equal ends. */
function atMostOneTypoApart(a: readonly string[], b: readonly string[]): boolean {
  const length = Math.min(a.length, b.length)
  let start = 0
  while (start < length && a[start] === b[start]) start += 1
  let end = 0
  while (end < length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  if (left.length <= 1 && right.length <= 1) return true
  const isSwap = left.length === 2 && left[0] === right[1] && left[1] === right[0]
  return isSwap && right.length === 2
}
