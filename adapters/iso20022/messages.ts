/**
 * What a bank sends us but statements: the status of our orders (pain.002), bookings (camt.054),
 * returns (pacs.004), and refusals of recalls (camt.029). A file is read whole, or refused whole.
 */
import type { BankEvent, BankReport } from '../adapter.ts'
import type { Money } from '../../ledger/money.ts'
import { refuseForeign, type Accounts } from './accounts.ts'
import { bookingsOf, OURS, reasonAt, type Booking } from './bookings.ts'
import { hashOf } from './text.ts'
import { moneyAt, timeAt, timeOf } from './values.ts'
import { all, BadFile, find, neededText, readUnits, textAt } from './xml.ts'
import type { Bytes, Element, Unit } from './xml.ts'

export interface Message {
  /** The bank's, with the kind of the message: banks count each kind for itself. */
  readonly id: string
  readonly events: readonly BankEvent[]
}

/** The orders of a file that we sent, by reference; undefined if we sent none of that id. */
export type Sent = (id: string) => Promise<ReadonlyMap<string, Money> | undefined>

/** A message as it is taken apart, unit by unit, and understood at its end. */
interface Reading {
  readonly sent: Sent
  readonly accounts: Accounts
  readonly units: readonly Unit[]
  /** The units at a path below the root, such as `GrpHdr`. */
  readonly at: (path: string) => readonly Element[]
}

interface Kind {
  readonly message: string
  readonly root: string
  readonly units: readonly string[]
  readonly id: string
  readonly eventsOf: (reading: Reading, id: string) => Promise<BankEvent[]> | BankEvent[]
}

const KINDS: readonly Kind[] = [
  {
    ...{ message: 'pain.002.001.10', root: 'CstmrPmtStsRpt', id: 'GrpHdr/MsgId' },
    units: ['GrpHdr', 'OrgnlGrpInfAndSts', 'OrgnlPmtInfAndSts'],
    eventsOf: statuses,
  },
  {
    ...{ message: 'camt.054.001.08', root: 'BkToCstmrDbtCdtNtfctn', id: 'GrpHdr/MsgId' },
    units: ['GrpHdr', 'Ntfctn/Id', 'Ntfctn/Acct', 'Ntfctn/Ntry'],
    eventsOf: notifications,
  },
  {
    ...{ message: 'pacs.004.001.09', root: 'PmtRtr', id: 'GrpHdr/MsgId' },
    units: ['GrpHdr', 'TxInf'],
    eventsOf: returns,
  },
  {
    ...{ message: 'camt.029.001.09', root: 'RsltnOfInvstgtn', id: 'Assgnmt/Id' },
    units: ['Assgnmt', 'RslvdCase', 'Sts', 'CxlDtls'],
    eventsOf: resolutions,
  },
]

const OUTLINES = KINDS.map(({ message, root, units }) => ({
  message,
  units: units.map((unit) => `${root}/${unit}`),
}))

const UNITS_MAX = 100_000
const ID_MAX = 35

/**
 * @param accounts ours at the bank: what is booked on another one is refused.
 * @throws {BadFile}
 */
export async function readMessage(bytes: Bytes, sent: Sent, accounts: Accounts): Promise<Message> {
  const units: Unit[] = []
  for await (const unit of readUnits(bytes, OUTLINES)) {
    units.push(unit)
    if (units.length > UNITS_MAX) throw new BadFile('the file holds too much')
  }
  const kind = KINDS.find(({ root }) => units[0]?.path.startsWith(`${root}/`))
  if (kind === undefined) throw new BadFile('the file is empty')
  const at = (path: string) =>
    units.filter((unit) => unit.path === `${kind.root}/${path}`).map(({ element }) => element)
  const [head = '', name = ''] = kind.id.split('/')
  const id = neededText(at(head)[0], name)
  if (id.length > ID_MAX) throw new BadFile('the id of the message is too long')
  const events = await kind.eventsOf({ sent, accounts, units, at }, `${kind.message} ${id}`)
  // Said twice in one file is said once.
  return {
    id: `${kind.message} ${id}`,
    events: [...new Map(events.map((one) => [one.eventId, one])).values()],
  }
}

const eventId = (...parts: readonly string[]) => hashOf(...parts).slice(0, 40)

type Report = Omit<BankReport, 'eventId' | 'reason'> & { readonly reason: string | undefined }

function report(messageId: string, booking: string, { reason, ...said }: Report): BankReport {
  const { reference, outcome, money } = said
  const { amount, currency } = money
  const eventIdOf = eventId(messageId, booking, reference, outcome, amount.toString(), currency)
  return {
    eventId: eventIdOf,
    ...said,
    ...(outcome !== 'settled' && reason !== undefined && { reason }),
  }
}

/** The statuses that are the end of an order; all the others say only that it is on its way. */
const STATUSES: Readonly<Record<string, 'settled' | 'rejected' | 'open'>> = {
  ...{ ACSC: 'settled', ACCC: 'settled', RJCT: 'rejected', CANC: 'rejected' },
  ...{ RCVD: 'open', PDNG: 'open', ACTC: 'open', ACCP: 'open', ACSP: 'open' },
  ...{ ACWC: 'open', ACWP: 'open', ACFC: 'open', PART: 'open', PATC: 'open', PRES: 'open' },
  ...{ BLCK: 'open' },
}

/** What a level of a status report says of all that is below it. */
interface Status {
  readonly outcome: 'settled' | 'rejected' | 'open'
  readonly reason: string | undefined
}

function statusAt(element: Element | undefined, name: string, above?: Status): Status | undefined {
  const code = textAt(element, name)
  if (code === undefined) return above
  const outcome = STATUSES[code]
  if (outcome === undefined) throw new BadFile(`${code.slice(0, 40)} is no status we know`)
  const own = reasonAt(element, 'StsRsnInf/Rsn')
  return { outcome, reason: own ?? (above?.outcome === outcome ? above.reason : undefined) }
}

/**
 * A status of the whole file, or of its payments, is one of every order in it that has none of its
 * own; which they are, our own copy of the file tells.
 */
async function statuses({ sent, at }: Reading, id: string): Promise<BankEvent[]> {
  const group = at('OrgnlGrpInfAndSts')[0]
  const file = neededText(group, 'OrgnlMsgId')
  const orders = OURS.test(file) ? await sent(file) : undefined
  const whole = statusAt(group, 'GrpSts')
  const createdAt = timeAt(at('GrpHdr')[0], 'CreDtTm')
  const payments = at('OrgnlPmtInfAndSts')
  const below = payments.map((one) => statusAt(one, 'PmtInfSts', whole)).find(Boolean) ?? whole
  const events: BankEvent[] = []
  const spokenOf = new Set<string>()

  const add = (reference: string, money: Money | undefined, status: Status, occurredAt: Date) => {
    const { outcome, reason } = status
    if (outcome === 'open') return
    if (money === undefined) throw new BadFile(`${reference} is of no file that we sent`)
    events.push(report(id, '', { reference, outcome, money, reason, occurredAt }))
  }
  for (const payment of payments) {
    if (neededText(payment, 'OrgnlPmtInfId') !== file)
      throw new BadFile('the payments are of another file')
    for (const one of all(payment, 'TxInfAndSts')) {
      const reference = ownAt(one, 'OrgnlInstrId', 'OrgnlEndToEndId')
      const status = statusAt(one, 'TxSts', statusAt(payment, 'PmtInfSts', whole))
      if (status === undefined) throw new BadFile(`${reference} has no status`)
      const told = find(one, 'OrgnlTxRef/Amt/InstdAmt')
      const money = told === undefined ? orders?.get(reference) : moneyAt(one, AMOUNT)
      const accepted = textAt(one, 'AccptncDtTm')
      add(reference, money, status, accepted === undefined ? createdAt : timeOf(accepted))
      spokenOf.add(reference)
    }
  }
  if (below === undefined || below.outcome === 'open') return events
  if (orders === undefined) throw new BadFile(`${file.slice(0, 40)} is no file that we sent`)
  for (const [reference, money] of orders)
    if (!spokenOf.has(reference)) add(reference, money, below, createdAt)
  return events
}

const AMOUNT = 'OrgnlTxRef/Amt/InstdAmt'

function ownAt(element: Element | undefined, ...paths: string[]): string {
  const references = paths.map((path) => textAt(element, path))
  const own = references.find((one) => one !== undefined && OURS.test(one) && one !== 'NOTPROVIDED')
  if (own === undefined)
    throw new BadFile(`${element?.name ?? 'the file'} has no reference of ours`)
  return own
}

function notifications({ accounts, units }: Reading, id: string): BankEvent[] {
  const events: BankEvent[] = []
  const received = new Set<string>()
  let seen = new Map<string, number>()
  let [notification, account, entries] = ['', '', 0]
  for (const { path, element } of units) {
    if (path.endsWith('/Ntfctn/Id'))
      [notification, account, seen] = [element.text.trim(), '', new Map()]
    if (path.endsWith('/Acct')) {
      account = neededText(element, 'Id/IBAN', 'Id/Othr/Id')
      refuseForeign(accounts, account)
    }
    if (!path.endsWith('/Ntry')) continue
    if (account === '') throw new BadFile('an entry stands before its account')
    entries += 1
    const place = { account, place: `${notification}/${entries}`, seen }
    for (const booking of bookingsOf(element, place)) {
      refuseForeign(accounts, account, booking.currency)
      const event = eventOf(booking, id, account)
      if (event === undefined) continue
      // By its reference a booking is one: which of two is true, a person has to ask the bank.
      if (event.outcome === 'received' && received.has(event.eventId))
        throw new BadFile(`${event.reference} is booked twice`)
      received.add(event.eventId)
      events.push(event)
    }
  }
  return events
}

/** A booking that is notified again in another file has the same id: it is the same money. */
function eventOf(booking: Booking, messageId: string, account: string): BankEvent | undefined {
  const { kind, reference, currency, bookedAt: occurredAt, reason, remittance, sender } = booking
  const amount = booking.amount < 0n ? -booking.amount : booking.amount
  const money = { amount, currency }
  if (kind === 'other') return undefined
  if (kind !== 'received') {
    const said = { reference, outcome: kind, money, reason, occurredAt }
    return report(messageId, booking.bankReference, said)
  }
  return {
    eventId: eventId('received', account, reference, amount.toString(), currency),
    ...{ outcome: kind, reference, money, occurredAt },
    ...(remittance !== undefined && { remittance }),
    ...(booking.endToEndId !== undefined && { endToEndId: booking.endToEndId }),
    ...(sender !== undefined && { sender }),
    ...(booking.isUnidentified && { isUnidentified: true }),
    ...(booking.senderAccount !== undefined && { senderAccount: booking.senderAccount }),
  }
}

function returns({ at }: Reading, id: string): BankEvent[] {
  const head = at('GrpHdr')[0]
  const transactions = at('TxInf')
  if (neededText(head, 'NbOfTxs') !== String(transactions.length))
    throw new BadFile('the file holds another number of returns than it says')
  const createdAt = neededText(head, 'CreDtTm')
  return transactions.map((one) => {
    const settledAt = textAt(one, 'IntrBkSttlmDt') ?? textAt(head, 'IntrBkSttlmDt')
    return report(id, textAt(one, 'RtrId') ?? '', {
      reference: ownAt(one, 'OrgnlInstrId', 'OrgnlEndToEndId'),
      outcome: 'returned',
      money: moneyAt(one, 'RtrdIntrBkSttlmAmt'),
      reason: reasonAt(one, 'RtrRsnInf/Rsn'),
      occurredAt: timeOf(settledAt ?? createdAt),
    })
  })
}

/** What is granted comes back as money; only a refusal is news. */
async function resolutions({ at, sent }: Reading, id: string): Promise<BankEvent[]> {
  const occurredAt = timeAt(at('Assgnmt')[0], 'CreDtTm')
  const whole = textAt(at('Sts')[0], 'Conf')
  const transactions = at('CxlDtls').flatMap((one) => all(one, 'TxInfAndSts'))
  const refused = transactions.filter((one) => (textAt(one, 'TxCxlSts') ?? whole) === 'RJCR')
  const recall = textAt(at('RslvdCase')[0], 'Id') ?? ''
  const recalled = OURS.test(recall) ? await sent(`recall-${recall}`) : undefined
  if (transactions.length === 0 && whole === 'RJCR') {
    if (recalled === undefined) throw new BadFile('the refusal is of no recall that we sent')
    const reason = undefined
    return [...recalled].map(([reference, money]) =>
      refusal(id, { reference, money, reason, occurredAt }),
    )
  }
  return refused.map((one) => {
    const reference = ownAt(one, 'OrgnlInstrId', 'OrgnlEndToEndId')
    const paths = ['OrgnlInstdAmt', 'OrgnlIntrBkSttlmAmt', 'OrgnlTxRef/IntrBkSttlmAmt']
    const told = paths.find((path) => find(one, path) !== undefined)
    const money = told === undefined ? recalled?.get(reference) : moneyAt(one, told)
    if (money === undefined) throw new BadFile(`we recalled no ${reference}`)
    const reason = reasonAt(one, 'CxlStsRsnInf/Rsn')
    return refusal(id, { reference, money, reason, occurredAt })
  })
}

function refusal(id: string, { reason, ...said }: Omit<Report, 'outcome'>): BankEvent {
  return {
    eventId: eventId(id, said.reference, 'recall_refused'),
    outcome: 'recall_refused',
    ...said,
    ...(reason !== undefined && { reason }),
  }
}
