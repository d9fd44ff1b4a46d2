/**
 * The answers that commit with the money: the object as the API shows it, or why it was refused.
 */
import type { Conclusion, Refusal } from '../ledger/index.ts'

/** A final refusal: stored under the claim, answered again for ever. */
export const refused = ({ code }: Refusal): Conclusion => ({
  answer: JSON.stringify({ refused: code }),
})
