/**
 * What a bank is asked to do about an instruction. One home for it: by itself or in a batch, the
 * bank reads the same words. Pure.
 */
import type { BankAccountDetails, Instruction as Order } from '../../adapters/adapter.ts'
import type { Instruction, Purpose } from './instructions.ts'

/** @param account whose it is; null where its owner was erased, which nobody may be meanwhile. */
export function orderOf(instruction: Instruction, account: BankAccountDetails | null): Order {
  const { id, reference, direction, rail, money, purpose } = instruction
  if (account === null) throw new Error(`instruction ${id} is of somebody who was erased`)
  const order = { reference, direction, rail, money, account }
  return NAMED.has(purpose) ? { ...order, remittance: reference } : order
}

/** Those whose money comes to us again: by our reference we know it when the other bank tells. */
const NAMED: ReadonlySet<Purpose> = new Set(['netting'])
