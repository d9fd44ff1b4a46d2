/** Which accounts are ours at a bank: what a file says of any other one is none of our business. */
import type { OwnAccount } from './config.ts'
import { BadFile } from './xml.ts'

/** By currency; where there are none, every account is believed to be ours. */
export type Accounts = Readonly<Record<string, OwnAccount>>

const written = (number: string) => number.replaceAll(/\s/g, '').toUpperCase()

const numberOf = (account: OwnAccount) => written('iban' in account ? account.iban : account.number)

/**
 * Two accounts of ours at one bank are told apart by their currency, so an entry of one must not
 * be on the other either.
 * @throws {BadFile} which does not name the account: what we say of a file is shown and logged.
 */
export function refuseForeign(accounts: Accounts, account: string, currency?: string): void {
  const ours = Object.values(accounts).map(numberOf)
  const number = written(account)
  if (ours.length > 0 && !ours.includes(number))
    throw new BadFile(`the account that ends in ${number.slice(-4)} is not ours as configured`)
  const meant = currency === undefined ? undefined : accounts[currency]
  if (meant !== undefined && numberOf(meant) !== number)
    throw new BadFile(`the account that ends in ${number.slice(-4)} is not ours in ${currency}`)
}
