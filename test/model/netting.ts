/**
 * Net settlement thought through again: not positions, but money in vaults. Each bank's vault has
 * what it took in less what it gave out; what is left over in all of them together belongs nowhere
 * else and is given, cent by cent, to the vaults where it lies. What is then in the wrong vault is
 * what one bank owes another.
 */
import { sharesOf } from './chart.ts'

export interface ModelMovement {
  readonly bank: string
  /** Above zero: into the vault. */
  readonly amount: bigint
}

export interface ModelDebt {
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

/** What each bank holds too much, by name; below zero, too little. Earlier debts are still owed. */
export function modelNets(
  movements: readonly ModelMovement[],
  earlier: readonly ModelDebt[] = [],
): ReadonlyMap<string, bigint> {
  const vaults = new Map<string, bigint>()
  const put = (bank: string, amount: bigint) => vaults.set(bank, (vaults.get(bank) ?? 0n) + amount)
  for (const { bank, amount } of movements) put(bank, amount)
  for (const { from, to, amount } of earlier) {
    put(from, amount)
    put(to, -amount)
  }
  const names = [...vaults.keys()].sort()
  let all = 0n
  for (const { amount } of movements) all += amount
  if (all === 0n) return vaults
  const isMore = all > 0n
  const concerned = names.filter(
    (name) => vaults.get(name) !== 0n && isMore === inPlus(vaults, name),
  )
  const size = (amount: bigint) => (isMore ? amount : -amount)
  const parts = concerned.map((name) => size(vaults.get(name) ?? 0n))
  const shares = sharesOf(size(all), parts)
  concerned.forEach((name, nth) => put(name, -size(shares[nth] ?? 0n)))
  return vaults
}

const inPlus = (vaults: ReadonlyMap<string, bigint>, name: string) => (vaults.get(name) ?? 0n) > 0n

/** What is in the vaults once the debts are paid. */
export function modelAfter(
  nets: ReadonlyMap<string, bigint>,
  paid: readonly ModelDebt[],
): ReadonlyMap<string, bigint> {
  const vaults = new Map(nets)
  for (const { from, to, amount } of paid) {
    vaults.set(from, (vaults.get(from) ?? 0n) - amount)
    vaults.set(to, (vaults.get(to) ?? 0n) + amount)
  }
  return vaults
}
