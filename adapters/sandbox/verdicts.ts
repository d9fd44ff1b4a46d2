/** What the sandbox bank decides, by its books and by what it was asked to do. Pure. */
import { accountOf, type Books, type Instruction } from './bank.ts'
import { behaviourOf, magicAccountOf } from './behaviours.ts'

/** Why an instruction is refused at once, if it is: AM03, a currency the bank does not hold. */
export const refusalOf = (books: Books, currency: string): string | undefined =>
  books.partner.has(currency) ? undefined : 'AM03'

/** Why the money of a settled credit is kept, if it is. */
export function refusalOfRecall(
  books: Books,
  { direction, amount, currency, number, events }: Instruction,
): string | undefined {
  if (direction !== 'credit' || events.at(-1)?.outcome !== 'settled') return 'ARDT'
  const refusal = behaviourOf(amount).recallRefusal
  if (refusal !== undefined) return refusal
  const account = accountOf(books, number, currency)
  return account !== undefined && account.balance >= amount ? undefined : 'AM04'
}

/** What becomes of an accepted instruction, by the books as they are when it is executed. */
export function verdictOn(
  books: Books,
  { direction, amount, currency, number }: Instruction,
): { readonly outcome: 'settled' | 'rejected'; readonly reason?: string } {
  const account = accountOf(books, number, currency)
  const refusal = behaviourOf(amount).refusal ?? magicAccountOf(number)?.refusal
  if (refusal !== undefined) return { outcome: 'rejected', reason: refusal }
  if (account === undefined) return { outcome: 'rejected', reason: 'AC01' }
  if (direction === 'debit' && account.balance < amount)
    return { outcome: 'rejected', reason: 'AM04' }
  return { outcome: 'settled' }
}
