/**
 * The books of the sandbox bank: no clock, no disk, no network, and not a word about its partner's
 * database. They are what the journal says: `record` is the only way to change them, and recording
 * the same entries again gives the same books. So the journal is the proof of what was moved.
 *
 * Per currency there is one account for the bank's partner (us) beside those of its customers. It
 * may go negative: a credit line, so that a payout never fails for want of money at the bank.
 * Money is only ever moved, so the sum of all balances of a currency never changes.
 */

export type Direction = 'debit' | 'credit'
export type Outcome = 'settled' | 'rejected' | 'returned'

/** A line of the journal. Amounts are minor units as text, times RFC 3339. */
export type Entry =
  | {
      readonly kind: 'opened'
      readonly number: string
      readonly holder: string
      readonly currency: string
      readonly balance: string
    }
  | {
      readonly kind: 'accepted'
      readonly reference: string
      readonly direction: Direction
      readonly amount: string
      readonly currency: string
      readonly number: string
      readonly remittance?: string
    }
  | {
      readonly kind: 'executed'
      readonly reference: string
      readonly outcome: Outcome
      readonly reason?: string
      readonly at: string
    }
  | { readonly kind: 'delivered'; readonly reference: string; readonly outcome: Outcome }
  /** The partner wants the money of `original` back. */
  | { readonly kind: 'recalled'; readonly reference: string; readonly original: string }
  /** And does not get it. */
  | {
      readonly kind: 'kept'
      readonly reference: string
      readonly original: string
      readonly reason: string
      readonly at: string
    }
  /** A customer pays the partner without being asked. */
  | {
      readonly kind: 'received'
      readonly reference: string
      readonly number: string
      readonly amount: string
      readonly currency: string
      readonly remittance: string
      readonly end_to_end_id?: string
      readonly at: string
    }
  | { readonly kind: 'told'; readonly id: string }

export interface Account {
  readonly number: string
  readonly holder: string
  readonly currency: string
  balance: bigint
}

export interface Instruction {
  readonly reference: string
  readonly direction: Direction
  readonly amount: bigint
  readonly currency: string
  /** The customer's. */
  readonly number: string
  /** What the customer reads. */
  readonly remittance?: string | undefined
  /** What happened to it, oldest first; empty while it waits. */
  readonly events: BankEvent[]
}

export interface BankEvent {
  readonly id: string
  readonly outcome: Outcome
  readonly reason?: string
  readonly at: string
  delivered: boolean
}

/** What the partner is told that is about no instruction, or does not change one. */
export interface Notice {
  readonly id: string
  readonly outcome: 'received' | 'recall_refused'
  readonly reference: string
  readonly amount: bigint
  readonly currency: string
  readonly at: string
  readonly reason?: string
  readonly remittance?: string
  readonly end_to_end_id?: string | undefined
  readonly sender?: string
  readonly sender_account?: string
  delivered: boolean
}

/** A line of the partner's statement; the amount is positive when the partner gains. */
export interface Line {
  readonly line: number
  readonly reference: string
  readonly currency: string
  readonly amount: bigint
  readonly booked_at: string
}

export interface Books {
  readonly accounts: Map<string, Account>
  readonly instructions: Map<string, Instruction>
  /** The instructions whose money was recalled, by the recall's reference. */
  readonly recalls: Map<string, string>
  readonly notices: Map<string, Notice>
  readonly statement: Line[]
  /** The partner's balances by currency. */
  readonly partner: Map<string, bigint>
}

export const emptyBooks = (): Books => ({
  accounts: new Map(),
  instructions: new Map(),
  recalls: new Map(),
  notices: new Map(),
  statement: [],
  partner: new Map(),
})

/** What an outcome does to the partner's account, per unit; to the customer's, the opposite. */
const EFFECT = {
  debit: { settled: 1n, rejected: 0n, returned: -1n },
  credit: { settled: -1n, rejected: 0n, returned: 1n },
} as const satisfies Record<Direction, Record<Outcome, bigint>>

/** What may happen next, by what happened last. */
const NEXT: Readonly<Record<Outcome | 'accepted', readonly Outcome[]>> = {
  accepted: ['settled', 'rejected'],
  settled: ['returned'],
  rejected: [],
  returned: [],
}

const KINDS: Readonly<Record<Entry['kind'], true>> = {
  opened: true,
  accepted: true,
  executed: true,
  delivered: true,
  recalled: true,
  kept: true,
  received: true,
  told: true,
}

/** The lines of the journal are our own: the kind tells enough, `record` refuses the rest. */
export const isEntry = (value: unknown): value is Entry =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  Object.hasOwn(KINDS, String(value.kind))

/**
 * Applies an entry.
 * @throws {Error} if it contradicts the books, such as a second execution: a bug, or a journal that
 *   somebody has edited.
 */
export function record(books: Books, entry: Entry): void {
  const apply = RECORD[entry.kind] as (books: Books, entry: Entry) => void
  apply(books, entry)
}

const RECORD: { readonly [K in Entry['kind']]: (books: Books, entry: EntryOf<K>) => void } = {
  opened: open,
  accepted: accept,
  executed: execute,
  delivered: deliver,
  recalled: recall,
  kept: keep,
  received: receive,
  told: tell,
}

type EntryOf<K extends Entry['kind']> = Extract<Entry, { kind: K }>

export const stateOf = (instruction: Instruction): Outcome | 'accepted' =>
  instruction.events.at(-1)?.outcome ?? 'accepted'

export const accountOf = (books: Books, number: string, currency: string) =>
  books.accounts.get(`${currency} ${number}`)

function open(books: Books, entry: EntryOf<'opened'>): void {
  const { number, holder, currency, balance } = entry
  const account = { number, holder, currency, balance: BigInt(balance) }
  books.accounts.set(`${currency} ${number}`, account)
  if (!books.partner.has(currency)) books.partner.set(currency, 0n)
}

function accept(books: Books, entry: EntryOf<'accepted'>): void {
  const { reference, direction, currency, number, remittance } = entry
  if (books.instructions.has(reference)) throw new Error(`${reference} was accepted twice`)
  const amount = BigInt(entry.amount)
  const asked = { reference, direction, amount, currency, number, remittance }
  books.instructions.set(reference, { ...asked, events: [] })
}

function execute(books: Books, entry: EntryOf<'executed'>): void {
  const { reference, outcome, reason, at } = entry
  const instruction = find(books, reference)
  const state = stateOf(instruction)
  if (!NEXT[state].includes(outcome)) throw new Error(`${reference} is ${state}, not ${outcome}`)
  move(books, instruction, outcome, at)
  const event = { id: `evt_${reference}_${outcome}`, outcome, at, delivered: false }
  instruction.events.push(reason === undefined ? event : { ...event, reason })
}

function deliver(books: Books, { reference, outcome }: EntryOf<'delivered'>): void {
  const event = find(books, reference).events.find((one) => one.outcome === outcome)
  if (event === undefined) throw new Error(`${reference} has no event to deliver`)
  event.delivered = true
}

function recall(books: Books, { reference, original }: EntryOf<'recalled'>): void {
  if (books.recalls.has(reference)) throw new Error(`${reference} recalls twice`)
  find(books, original)
  books.recalls.set(reference, original)
}

function keep(books: Books, { reference, original, reason, at }: EntryOf<'kept'>): void {
  const { amount, currency } = find(books, original)
  const id = `evt_${reference}_kept`
  const told = { reference: original, amount, currency, reason, at, delivered: false }
  books.notices.set(id, { id, outcome: 'recall_refused', ...told })
}

function receive(books: Books, entry: EntryOf<'received'>): void {
  const { reference, number, currency, remittance, end_to_end_id, at } = entry
  const amount = BigInt(entry.amount)
  const account = accountOf(books, number, currency)
  if (account === undefined) throw new Error(`${reference} is paid by nobody`)
  account.balance -= amount
  book(books, { reference, currency, amount, booked_at: at })
  const id = `evt_${reference}_received`
  const sender = { sender: account.holder, sender_account: number }
  const told = { reference, amount, currency, remittance, end_to_end_id, ...sender, at }
  books.notices.set(id, { id, outcome: 'received', ...told, delivered: false })
}

function tell(books: Books, { id }: EntryOf<'told'>): void {
  const notice = books.notices.get(id)
  if (notice === undefined) throw new Error(`${id} is not in the journal`)
  notice.delivered = true
}

/** A return is the bank's own decision: it takes the money back even from an empty account. */
function move(books: Books, instruction: Instruction, outcome: Outcome, at: string): void {
  const { reference, direction, currency, number } = instruction
  const amount = EFFECT[direction][outcome] * instruction.amount
  if (amount === 0n) return
  const account = accountOf(books, number, currency)
  if (account === undefined) throw new Error(`${reference} moves money of nobody`)
  account.balance -= amount
  book(books, { reference, currency, amount, booked_at: at })
}

/** The partner's side of a movement. */
function book(books: Books, booked: Omit<Line, 'line'>): void {
  const { currency, amount } = booked
  books.partner.set(currency, (books.partner.get(currency) ?? 0n) + amount)
  books.statement.push({ line: books.statement.length + 1, ...booked })
}

function find(books: Books, reference: string): Instruction {
  const instruction = books.instructions.get(reference)
  if (instruction === undefined) throw new Error(`${reference} is not in the journal`)
  return instruction
}
