/** Account statements, camt.053.001.08, of any length in constant memory. */
import type { StatementLine } from '../adapter.ts'
import { refuseForeign, type Accounts } from './accounts.ts'
import { bookingsOf, type Booking } from './bookings.ts'
import { moneyAt, signOf, timeAt } from './values.ts'
import { BadFile, neededText, readUnits, textAt, type Bytes, type Element } from './xml.ts'

export const CAMT053 = 'camt.053.001.08'

export interface StatementHead {
  /** The bank's id of the statement; a copy of it carries the same one. */
  readonly id: string
  /** The bank's number of it, where it counts: a gap is a statement that is missing. */
  readonly sequence: string | undefined
  /** Where one statement comes in several parts. */
  readonly page?: string
  /** The IBAN, or whatever the bank calls the account by. */
  readonly account: string
  readonly createdAt: Date
  /** Booked balances in minor units of the account's currency, where the bank tells them. */
  readonly opening: bigint | undefined
  readonly closing: bigint | undefined
  /** The day of the closing balance, as the bank has it. */
  readonly closedOn: string | undefined
}

/** A file holds statements; the lines that follow a statement are its own. */
export type StatementItem =
  | { readonly kind: 'statement'; readonly statement: StatementHead }
  | { readonly kind: 'line'; readonly line: StatementLine }

const STATEMENT = 'BkToCstmrStmt/Stmt'
const ENTRY = `${STATEMENT}/Ntry`
const OUTLINE = {
  message: CAMT053,
  units: ['Id', 'StmtPgntn', 'ElctrncSeqNb', 'LglSeqNb', 'CreDtTm', 'Acct', 'Bal', 'Ntry'].map(
    (name) => `${STATEMENT}/${name}`,
  ),
}

interface Balance {
  readonly amount: bigint
  readonly currency: string
  readonly day: string | undefined
}

/** What is known of the statement that is being read. */
interface Open {
  readonly id: string
  readonly accounts: Accounts
  /** Everything but the entries, by name. */
  readonly parts: Map<string, Element>
  readonly balances: Map<string, Balance>
  head: StatementHead | undefined
  /** How often each booking without a reference of the bank’s was seen. */
  readonly seen: Map<string, number>
  entries: number
  sum: bigint
  currency: string | undefined
}

/**
 * The statements of a file with their lines, numbered from one throughout the file.
 * The opening balance and the lines make the closing balance, or the file is refused: at its end,
 * so believe nothing before.
 * @param accounts ours at the bank: the statement of another one is refused.
 * @throws {BadFile}
 */
export async function* readCamt053(
  bytes: Bytes,
  accounts: Accounts = {},
): AsyncGenerator<StatementItem> {
  let open: Open | undefined
  let line = 0
  let statements = 0
  for await (const { path, element } of readUnits(bytes, [OUTLINE])) {
    if (path === `${STATEMENT}/Id`) {
      if (open !== undefined) yield* end(open)
      open = begin(element.text.trim(), accounts)
      statements += 1
    } else if (path === ENTRY) {
      yield* headOf(open)
      for (const booking of bookedBy(open, element))
        yield { kind: 'line', line: lineOf(booking, (line += 1)) }
    } else if (open !== undefined) keep(open, element)
  }
  if (open !== undefined) yield* end(open)
  if (statements === 0) throw new BadFile('the file has no statement')
}

function begin(id: string, accounts: Accounts): Open {
  if (id === '') throw new BadFile('a statement has no Id')
  const state = { head: undefined, entries: 0, sum: 0n, currency: undefined }
  return { id, accounts, parts: new Map(), balances: new Map(), seen: new Map(), ...state }
}

function keep(open: Open, element: Element): void {
  if (open.head !== undefined) throw new BadFile(`${element.name} stands after the entries`)
  if (element.name !== 'Bal') return void open.parts.set(element.name, element)
  const code = textAt(element, 'Tp/CdOrPrtry/Cd')
  const { amount, currency } = moneyAt(element, 'Amt')
  const day = textAt(element, 'Dt/Dt', 'Dt/DtTm')?.slice(0, 10)
  if (code === undefined) return
  open.balances.set(code, { amount: signOf(element) * amount, currency, day })
}

function* headOf(open: Open | undefined): Generator<StatementItem> {
  if (open === undefined) throw new BadFile('an entry stands before the Id of its statement')
  if (open.head !== undefined) return
  const account = open.parts.get('Acct')
  // A statement that goes on from the one before opens with what that one closed with.
  const opening = open.balances.get('OPBD') ?? open.balances.get('PRCD')
  const closing = open.balances.get('CLBD')
  if (opening !== undefined && closing !== undefined && opening.currency !== closing.currency)
    throw new BadFile('the balances are in different currencies')
  open.currency = textAt(account, 'Ccy') ?? closing?.currency ?? opening?.currency
  const page = textAt(open.parts.get('StmtPgntn'), 'PgNb')
  open.head = {
    id: open.id,
    ...(page !== undefined && { page }),
    sequence: open.parts.get('ElctrncSeqNb')?.text ?? open.parts.get('LglSeqNb')?.text,
    account: neededText(account, 'Id/IBAN', 'Id/Othr/Id'),
    createdAt: timeAt({ name: 'Stmt', currency: undefined, ...inside(open) }, 'CreDtTm'),
    opening: opening?.amount,
    closing: closing?.amount,
    closedOn: closing?.day,
  }
  refuseForeign(open.accounts, open.head.account, open.currency)
  yield { kind: 'statement', statement: open.head }
}

const inside = (open: Open) => ({ text: '', children: [...open.parts.values()] })

function bookedBy(open: Open | undefined, element: Element): readonly Booking[] {
  if (open === undefined) return []
  open.entries += 1
  const account = open.head?.account ?? ''
  const place = { account, place: `${open.id}/${open.entries}`, seen: open.seen }
  const bookings = bookingsOf(element, place)
  for (const { amount, currency } of bookings) {
    if (open.currency === undefined) refuseForeign(open.accounts, account, currency)
    open.currency ??= currency
    if (currency !== open.currency) throw new BadFile('an entry is in another currency')
    open.sum += amount
  }
  return bookings
}

function* end(open: Open): Generator<StatementItem> {
  yield* headOf(open)
  const { opening, closing } = open.head ?? {}
  if (opening === undefined || closing === undefined || opening + open.sum === closing) return
  const off = closing - opening - open.sum
  throw new BadFile(`statement ${open.id} does not add up: ${off} minor units are not explained`)
}

const lineOf = (booking: Booking, line: number): StatementLine => ({
  line,
  reference: booking.reference,
  currency: booking.currency,
  amount: booking.amount,
  bookedAt: booking.bookedAt,
  ...(booking.remittance !== undefined && { description: booking.remittance }),
})
