/** What every part of the file bank works with: its books, its journal, its desk. */
import { record, type Books, type Entry, type Line } from '../../sandbox/bank.ts'
import type { Journal } from '../../sandbox/journal.ts'
import type { OwnAccount } from '../config.ts'
import type { Desk } from './desk.ts'
import type { PartnerFile } from './reading.ts'
import type { Booked, Head } from './writing.ts'

export interface FileBankOptions {
  readonly name: string
  /** The directory of exchange; `out` and `in` are named as the partner sees them. */
  readonly folder: string
  readonly journalFile: string
  readonly customers: readonly Customer[]
  /** The partner's account for each currency. */
  readonly accounts: Readonly<Record<string, OwnAccount>>
  /** Between an order's acceptance and its execution. */
  readonly delay_ms?: number
  readonly poll_ms?: number
  /** How long a day is, at whose end comes a statement; without it a day ends by `closeDay`. */
  readonly day_ms?: number
  readonly clock?: () => Date
}

interface Customer {
  readonly number: string
  readonly holder: string
  readonly currency: string
  readonly balance: bigint
}

/** The bank at work. */
export interface Bank {
  readonly options: FileBankOptions
  readonly clock: () => Date
  readonly books: Books
  readonly journal: Journal
  readonly desk: Desk
  /** By reference: the file that an order came in, and when it may be executed. */
  readonly origins: Map<string, { readonly file: PartnerFile; readonly due_ms: number }>
  readonly remittances: Map<string, string>
  /** Begins the names of this run's messages, which are numbered: no two are called alike. */
  readonly run: string
  messages: number
}

export function write(bank: Bank, entry: Entry): void {
  record(bank.books, entry)
  bank.journal.append(entry)
}

export const nameOf = ({ name }: FileBankOptions) => name.toUpperCase().slice(0, 16)

export const now = ({ clock }: Bank) => clock().toISOString()

export function head(bank: Bank): Head {
  bank.messages += 1
  const id = `${bank.run}${String(bank.messages).padStart(9, '0')}`
  return { id, at: now(bank) }
}

/** Nothing is told that a crash could undo. */
export async function send(bank: Bank, kind: string, { id }: Head, text: string, copies = 1) {
  await bank.journal.synced()
  for (let copy = 1; copy <= copies; copy += 1)
    await bank.desk.send(`${kind}-${id}${copy === 1 ? '' : `-${copy}`}.xml`, text)
}

export const isReturnLine = ({ amount }: Line, direction: 'debit' | 'credit') =>
  (direction === 'debit') === amount < 0n

export const accountOf = ({ options }: Bank, currency: string): OwnAccount =>
  options.accounts[currency] ?? { number: 'NOTPROVIDED' }

export function bookedBy(
  bank: Bank,
  { line, reference, currency, amount, booked_at }: Line,
): Booked {
  const instruction = bank.books.instructions.get(reference)
  if (instruction === undefined) throw new Error(`${reference} is not in the journal`)
  const { direction, events } = instruction
  const isReturn = isReturnLine({ line, reference, currency, amount, booked_at }, direction)
  const issued = direction === 'credit' ? ('ICDT' as const) : ('IDDT' as const)
  const reason = events.find((one) => one.outcome === 'returned')?.reason ?? 'MS03'
  return {
    ...{ reference, currency, amount, at: booked_at },
    bankReference: `${nameOf(bank.options)}L${String(line).padStart(9, '0')}`,
    family: isIncoming(reference) ? ('RCDT' as const) : issued,
    returned: isReturn ? { reason } : undefined,
    remittance: bank.remittances.get(reference),
  }
}

/** No reference of the partner's looks like those of the bank's own bookings. */
const isIncoming = (reference: string) => reference.startsWith('in-')
