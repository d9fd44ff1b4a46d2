/** The choice of a bank once more: whatever cannot be is crossed out, and the rest is sorted. */
import type { BankNow, RouteRequest } from '../../services/banks/routing.ts'

export function chosenByElimination(request: RouteRequest, banks: readonly BankNow[]) {
  const { direction, money, account, at } = request
  const left: [priority: number, bank: string, rail: string][] = []
  for (const { bank, outages, isFailing, exposure } of banks) {
    if (isFailing || !bank.capabilities.has(direction)) continue
    const limit = bank.exposureMax[money.currency]
    if (direction === 'credit' && limit !== undefined && exposure + money.amount > limit) continue
    if ([...bank.maintenance].some(({ from, to }) => at >= from && at < to)) continue
    for (const rail of bank.rails) {
      const closed = outages.some(
        (one) => at >= one.from && at < one.to && (one.rail ?? rail.rail) === rail.rail,
      )
      const reached =
        rail.reaches.banks.includes(account.bank) ||
        rail.reaches.countries.includes(account.country ?? 'nowhere')
      const said = account.nameCheck !== 'close_match' || account.isConfirmed
      const enough = said && rail.nameCheck.includes(account.nameCheck)
      const known = direction === 'debit' || account.isPaid || enough
      const dated =
        at.getTime() >= (rail.validFrom?.getTime() ?? -Infinity) &&
        at.getTime() < (rail.validTo?.getTime() ?? Infinity)
      const fits =
        money.amount >= (rail.amountMin[money.currency] ?? money.amount) &&
        money.amount <= (rail.amountMax[money.currency] ?? money.amount)
      const offered =
        rail.directions.includes(direction) && rail.currencies.includes(money.currency)
      if (!closed && reached && known && dated && fits && offered) {
        left.push([rail.priority, bank.name, rail.rail])
      }
    }
  }
  left.sort(([a, b, c], [d, e, f]) => a - d || (b < e ? -1 : b > e ? 1 : c < f ? -1 : 1))
  return left[0] && { bank: left[0][1], rail: left[0][2] }
}
