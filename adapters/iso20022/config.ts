/** What we must know of a bank that takes files: who we are there, and where the files go. */
export interface Iso20022Config {
  readonly name: string
  readonly currencies: readonly string[]
  /** The directory of exchange: ours and the bank's, or whatever carries its files to the bank. */
  readonly folder: string
  /** Who sends the files: our name, and our id at the bank where it gave us one. */
  readonly initiator: { readonly name: string; readonly id?: string | undefined }
  /** The bank's own. */
  readonly bic: string
  /** Our account at the bank for each currency. */
  readonly accounts: Readonly<Record<string, OwnAccount>>
  /** `SEPA`, or `SEPA/INST` with a local instrument; by rail. Others go as the bank sees fit. */
  readonly serviceLevels?: Readonly<Record<string, string>> | undefined
  /** For direct debits: without it the bank can only pay out. */
  readonly creditor?: Creditor | undefined
}

/** Where there are no IBANs, or not for this account, the bank calls it by a number. */
export type OwnAccount = { readonly iban: string } | { readonly number: string }

export interface Creditor {
  readonly id: string
  /** `YYYY-MM-DD`: when the mandates were signed that our direct debits refer to. */
  readonly mandatesSignedOn: string
}
