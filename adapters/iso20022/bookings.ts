/**
 * What an entry on our account is, in a statement (camt.053) as in a notification (camt.054): the
 * same words, the same meaning, so that what one calls by a reference the other does too.
 */
import { hashOf } from './text.ts'
import { signOf, moneyAt, timeAt } from './values.ts'
import { all, BadFile, find, textAt, type Element } from './xml.ts'

export interface Booking {
  /** Ours where the booking is of an instruction of ours, else the bank's own. */
  readonly reference: string
  /** The bank's own, or where it stands: no two bookings share it. */
  readonly bankReference: string
  readonly kind: 'settled' | 'returned' | 'received' | 'other'
  readonly currency: string
  /** Minor units; positive when our balance at the bank grows. */
  readonly amount: bigint
  readonly bookedAt: Date
  readonly reason: string | undefined
  readonly remittance: string | undefined
  /** What whoever ordered it calls it, from end to end. */
  readonly endToEndId: string | undefined
  readonly sender: string | undefined
  readonly senderAccount: string | undefined
  /** Money that came of which only its place is known: told again, it may look like other money. */
  readonly isUnidentified: boolean
}

/** Where an entry stands. */
export interface Where {
  readonly account: string
  /** Unique for ever: the entry's name where the bank gives it none. */
  readonly place: string
  /** How often each booking without a name was seen in this statement, or notification. */
  readonly seen: Map<string, number>
}

/** As `Instruction.reference`: whatever looks otherwise was never ours. */
export const OURS = /^[A-Z0-9]{1,35}$/

interface Entry {
  readonly element: Element
  readonly sign: 1n | -1n
  readonly amount: bigint
  readonly currency: string
  readonly bookedAt: Date
  /** The bank's reference for the whole entry. */
  readonly reference: string
  readonly isNamed: boolean
  readonly where: Where
}

const BOOKED = ['BookgDt/DtTm', 'BookgDt/Dt', 'ValDt/DtTm', 'ValDt/Dt'] as const

/**
 * The bookings of an entry, which together are its amount: one for each transaction that the bank
 * tells apart, or one for all. Empty for what is not booked yet, or moves nothing.
 */
export function bookingsOf(element: Element, where: Where): readonly Booking[] {
  const status = textAt(element, 'Sts/Cd', 'Sts/Prtry')
  if (status === undefined) throw new BadFile('an entry has no Sts')
  if (status !== 'BOOK') return []
  const { amount, currency } = moneyAt(element, 'Amt')
  if (amount === 0n) return []
  const sign = signOf(element)
  const bookedAt = timeAt(element, ...BOOKED)
  const name = referenceAt(element, 'AcctSvcrRef')
  const reference = name ?? where.place
  const isNamed = name !== undefined
  const said = { amount: sign * amount, currency, bookedAt, reference, isNamed }
  const entry = { element, sign, where, ...said }
  const details = all(element, 'NtryDtls').flatMap((one) => all(one, 'TxDtls'))
  if (details.length === 1) return [bookingOf(entry, details[0], entry.amount, reference)]
  const parts = details.map((one) => partOf(entry, one))
  const sum = parts.reduce<bigint>((total, part) => total + (part ?? 0n), 0n)
  // Transactions that do not make up the entry explain it, perhaps; they do not split it.
  if (details.length === 0 || parts.includes(undefined) || sum !== entry.amount)
    return [bookingOf(entry, undefined, entry.amount, reference)]
  return details.map((one, n) => bookingOf(entry, one, parts[n] ?? 0n, `${reference}/${n + 1}`))
}

function partOf(entry: Entry, details: Element): bigint | undefined {
  if (find(details, 'Amt') === undefined) return undefined
  const { amount, currency } = moneyAt(details, 'Amt')
  if (currency !== entry.currency || amount === 0n) return undefined
  return signOf(details, entry.sign) * amount
}

function bookingOf(
  entry: Entry,
  details: Element | undefined,
  amount: bigint,
  fallback: string,
): Booking {
  const own = ownReference(details)
  const kind = kindOf(entry.element, details, amount, own)
  const isOurs = own !== undefined && (kind === 'settled' || kind === 'returned')
  const told = referenceAt(details, 'Refs/AcctSvcrRef')
  // Some banks give every transaction of a batch the reference of the batch.
  const bankReference = told === undefined || told === entry.reference ? fallback : told
  const isNameless = kind === 'received' && !entry.isNamed && told === undefined
  const derived = isNameless ? derivedReference(entry, details, amount) : undefined
  const party = `RltdPties/${amount > 0n ? 'Dbtr' : 'Cdtr'}`
  const senders = [`${party}/Pty/Nm`, `${party}/Agt/FinInstnId/Nm`]
  return {
    reference: isOurs ? own : (derived ?? bankReference),
    ...{ bankReference, kind, isUnidentified: isNameless && derived === undefined },
    amount,
    currency: entry.currency,
    bookedAt: entry.bookedAt,
    reason: reasonAt(details, 'RtrInf/Rsn'),
    remittance: remittanceOf(details) ?? wordsOf(textAt(entry.element, 'AddtlNtryInf'), WORDS_MAX),
    endToEndId: referenceIn(details, 'Refs/EndToEndId'),
    sender: wordsOf(textAt(details, ...senders), WORDS_MAX),
    senderAccount: wordsOf(
      textAt(details, `${party}Acct/Id/IBAN`, `${party}Acct/Id/Othr/Id`),
      WORDS_MAX,
    ),
  }
}

/**
 * Banks that give an entry no reference tell of it again in a later notification, at another
 * place. So its name is made of what stays: two that agree in all of it are told apart by which of
 * them it is. Undefined where nothing but the amount and the day would be in it.
 */
function derivedReference(
  { element, currency, where }: Entry,
  details: Element | undefined,
  amount: bigint,
): string | undefined {
  const marks = marksOf(details)
  if (marks === undefined) return undefined
  // As the bank writes it: in another zone it could be another day.
  const day = (textAt(element, ...BOOKED) ?? '').slice(0, 10)
  const name = hashOf(where.account, day, amount.toString(), currency, ...marks).slice(0, 32)
  const nth = (where.seen.get(name) ?? 0) + 1
  where.seen.set(name, nth)
  return nth === 1 ? name : `${name}/${nth}`
}

/** The ids of banks are their own; what senders write, several of them may write. */
function marksOf(details: Element | undefined): readonly string[] | undefined {
  const id = textAt(details, 'Refs/UETR', 'Refs/TxId')
  if (id !== undefined) return ['id', id]
  const endToEnd = textAt(details, 'Refs/EndToEndId') ?? 'NOTPROVIDED'
  const words = remittanceOf(details) ?? ''
  if (endToEnd === 'NOTPROVIDED' && words === '') return undefined
  const from = textAt(details, 'RltdPties/DbtrAcct/Id/IBAN', 'RltdPties/DbtrAcct/Id/Othr/Id') ?? ''
  return ['sender', endToEnd, words, from]
}

function ownReference(details: Element | undefined): string | undefined {
  return referenceIn(details, 'Refs/InstrId') ?? referenceIn(details, 'Refs/EndToEndId')
}

function referenceIn(details: Element | undefined, path: string): string | undefined {
  const one = textAt(details, path)
  return one !== undefined && one !== 'NOTPROVIDED' && OURS.test(one) ? one : undefined
}

/**
 * Only our own orders move money under our references: a stranger may write any reference he likes
 * on a transfer to us, and it stays `received`. So the bank's code for the transaction decides, and
 * the way the money went. A bank without such codes is believed about money that leaves us, and
 * about what it calls a return.
 */
function kindOf(
  entry: Element,
  details: Element | undefined,
  amount: bigint,
  own: string | undefined,
): Booking['kind'] {
  const code = [details, entry].map((one) => find(one, 'BkTxCd/Domn/Fmly')).find(Boolean)
  const ways = WAYS[textAt(code, 'Cd') ?? ''] ?? UNCODED
  const isReturn =
    find(details, 'RtrInf') !== undefined ||
    textAt(entry, 'RvslInd') === 'true' ||
    RETURNS.has(textAt(code, 'SubFmlyCd') ?? '')
  const kind = isReturn ? 'returned' : 'settled'
  if (own !== undefined && ways[kind].includes(amount > 0n ? 'in' : 'out')) return kind
  return amount > 0n ? 'received' : 'other'
}

interface Ways {
  readonly settled: readonly ('in' | 'out')[]
  readonly returned: readonly ('in' | 'out')[]
}

const UNCODED: Ways = { settled: ['out'], returned: ['in', 'out'] }

/** Which way money of ours goes, by family: transfers and debits that we issued, or received. */
const WAYS: Readonly<Record<string, Ways>> = {
  ICDT: { settled: ['out'], returned: ['in'] },
  IDDT: { settled: ['in'], returned: ['out'] },
  // Some banks book a transfer that comes back as one that they received.
  RCDT: { settled: [], returned: ['in'] },
  RDDT: { settled: [], returned: [] },
}

/** Sub-families of the external code set that undo: returns, rejections, reversals, refunds. */
const RETURNS: ReadonlySet<string> = new Set(['RRTN', 'UPCT', 'UPDD', 'PRDD', 'RPCR', 'ARET'])

/** Max35Text, which a bank must keep to: cut short, two references could become one. */
function referenceAt(element: Element | undefined, path: string): string | undefined {
  const reference = textAt(element, path)
  if (reference !== undefined && reference.length > 35)
    throw new BadFile(`a reference is too long: ${reference.slice(0, 40)}`)
  return reference
}

const WORDS_MAX = 140
const REASON_MAX = 35

function wordsOf(text: string | undefined, length: number): string | undefined {
  const words = (text ?? '').replace(/\s+/g, ' ').trim()
  return words === '' ? undefined : Array.from(words).slice(0, length).join('')
}

function remittanceOf(details: Element | undefined): string | undefined {
  const information = find(details, 'RmtInf')
  const structured = textAt(information, 'Strd/CdtrRefInf/Ref')
  const lines = all(information, 'Ustrd').map(({ text }) => text)
  return wordsOf([structured ?? '', ...lines].join(' '), WORDS_MAX)
}

/** A code of ISO 20022, or the bank's own. */
export const reasonAt = (element: Element | undefined, path: string): string | undefined =>
  wordsOf(textAt(element, `${path}/Cd`, `${path}/Prtry`), REASON_MAX)
