/**
 * What we ask of a bank, and all we know of one.
 *
 * An adapter translates one bank's protocol and signs and verifies its messages. It keeps no state,
 * sees no database, and never retries: when to call again is decided by services/banking.
 */
import type { Money } from '../ledger/money.ts'

export interface BankAdapter {
  /** Short and permanent: it is stored with every instruction. */
  readonly name: string

  /** What this bank can do. Whatever is not here throws `bank_not_capable`; see `UNSUPPORTED`. */
  readonly capabilities: ReadonlySet<Capability>

  /**
   * Asks the bank to move the money. `instruction.reference` is the bank's idempotency key for
   * ever.
   * @throws {BankError} `bank_unreachable` if the request cannot have arrived,
   *   `bank_outcome_unknown` if it may have.
   */
  submit(instruction: Instruction): Promise<BankAnswer>

  /**
   * The same for many at once, as banks that exchange files want it (`batch`). The id of the batch
   * is the bank's idempotency key for the file: handing over the same batch again changes nothing.
   * Answers nothing: what became of each instruction comes back by `collect`.
   * @throws {BankError} as `submit` does, for the batch as a whole.
   */
  submitBatch(batch: InstructionBatch): Promise<void>

  /**
   * Asks what became of an instruction, for when its callback does not come.
   * `not_found` is not a refusal: a request may still be on its way until the bank's cut-off.
   * @throws {BankError} as `submit` does.
   */
  enquire(reference: string): Promise<BankAnswer>

  /**
   * Asks for the money of a settled credit back (`recall`). What comes of it is an event: the
   * money `returned`, or `recall_refused`. `recall.reference` is the bank's idempotency key.
   * @throws {BankError} as `submit` does.
   */
  recall(recall: Recall): Promise<RecallAnswer>

  /**
   * Authenticates and reads a callback. Pure: touches neither network nor clock.
   * @param body the bytes as they arrived; the signature covers exactly these.
   * @throws {BankError} `bad_signature`, `callback_expired` or `bad_callback`.
   */
  readCallback(headers: Headers, body: Buffer, now: Date): BankEvent

  /**
   * What the bank has put where we fetch it (`collect`): one item for each file, oldest first. The
   * caller writes down all events of a file, then says `accept`; or `reject`, with the reason.
   * @throws {BankError} `bank_unreachable` when the place cannot be read.
   */
  collect(): AsyncIterable<Collected>

  /**
   * The lines of our own account at the bank, oldest first, as the bank books them.
   * @throws {BankError} as `submit` does.
   */
  fetchStatement(): AsyncIterable<StatementLine>

  /**
   * Whether the account exists and belongs to the holder.
   * @throws {BankError} as `submit` does.
   */
  checkName(account: BankAccountDetails): Promise<NameAnswer>
}

const CAPABILITIES = [
  ...(['debit', 'credit', 'batch', 'enquiry', 'callback', 'collect'] as const),
  ...(['return', 'recall', 'statement', 'name_check'] as const),
] as const

export type Capability = (typeof CAPABILITIES)[number]

/** What an adapter is before it can do anything: spread it, and add what the bank offers. */
export const UNSUPPORTED = {
  submit: () => refuse('submit'),
  submitBatch: () => refuse('submitBatch'),
  enquire: () => refuse('enquire'),
  recall: () => refuse('recall'),
  readCallback: () => {
    throw new BankError('bank_not_capable', { detail: 'the bank has no callbacks' })
  },
  async *collect(): AsyncGenerator<Collected> {
    yield await refuse('collect')
  },
  async *fetchStatement(): AsyncGenerator<StatementLine> {
    yield await refuse('fetchStatement')
  },
  checkName: async () => ({ result: 'not_possible' }),
} as const satisfies Omit<BankAdapter, 'name' | 'capabilities'>

const refuse = async (what: string): Promise<never> => {
  throw new BankError('bank_not_capable', { detail: `the bank does not support ${what}` })
}

/** As Node gives them: lower-case names. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** `debit` takes money from the customer's account for us; `credit` pays it out of ours. */
export type Direction = 'debit' | 'credit'

export interface BankAccountDetails {
  /** An IBAN, or whatever the bank calls its accounts by. */
  readonly number: string
  readonly holder: string
}

export interface Instruction {
  /** Ours, written down before the first call and never replaced: `[A-Z0-9]{1,35}`. */
  readonly reference: string
  readonly direction: Direction
  /** Over which of the bank's rails: a name of its registry entry. */
  readonly rail: string
  readonly money: Money
  readonly account: BankAccountDetails
  /** What the other side reads on its statement. */
  readonly remittance?: string
}

export interface InstructionBatch {
  /** Ours, written down before it is handed over and never replaced: `[A-Z0-9]{1,35}`. */
  readonly id: string
  readonly createdAt: Date
  /** All of one direction, rail and currency; at least one. */
  readonly instructions: readonly Instruction[]
}

/** We want the money of a settled credit back. */
export interface Recall {
  readonly reference: string
  readonly original: Pick<Instruction, 'reference' | 'money'>
  /** A code of ISO 20022: DUPL, TECH, FRAD, CUST, AC03, AM09. */
  readonly reason: string
}

export type RecallAnswer = { readonly state: 'accepted' }

/** What a bank tells us, once for each `eventId`. */
export type BankEvent = BankReport | IncomingMoney | RecallRefusal

/** What became of an instruction. */
export interface BankReport {
  /** The bank's id for this event; a copy carries the same one. */
  readonly eventId: string
  readonly reference: string
  readonly outcome: 'settled' | 'rejected' | 'returned'
  /** What the bank moved, or refused to move. */
  readonly money: Money
  /** Why: a code of ISO 20022 where the bank has one; for `rejected` and `returned`. */
  readonly reason?: string
  /** When the bank says it happened. */
  readonly occurredAt: Date
}

/** Money that came to our account at the bank without our asking. */
export interface IncomingMoney {
  readonly eventId: string
  readonly outcome: 'received'
  /** The bank's own reference of the booking: the same one that its statement shows. */
  readonly reference: string
  readonly money: Money
  readonly occurredAt: Date
  /** Whatever the sender wrote: it may name whom the money is for. */
  readonly remittance?: string
  /** The sender's own reference, as it went from end to end: ours where the money is ours. */
  readonly endToEndId?: string
  readonly sender?: string
  /** The number of the account it came from: where it could be sent back to. */
  readonly senderAccount?: string
  /**
   * The bank gives nothing to know it by again, so it may be told under another id: a person has to
   * say whose it is, whatever its sender wrote.
   */
  readonly isUnidentified?: true
}

/** The other side keeps the money that we recalled. */
export interface RecallRefusal {
  readonly eventId: string
  readonly outcome: 'recall_refused'
  /** Of the instruction whose money was recalled. */
  readonly reference: string
  readonly money: Money
  readonly reason?: string
  readonly occurredAt: Date
}

/** A file from the bank. */
export interface Collected {
  /** The sender's id of the message; a copy of the file carries the same one. */
  readonly messageId: string
  /** What people call it: the file's name. */
  readonly name: string
  /** Read whole before anything of it is believed. */
  readonly events: readonly BankEvent[]
  /** Why the file cannot be read, if it cannot: then it has no events, and is to be rejected. */
  readonly fault?: string
  /** The file is written down: it will not be offered again. */
  readonly accept: () => Promise<void>
  /** The file is set aside for a person. */
  readonly reject: (reason: string) => Promise<void>
}

export type BankAnswer =
  | { readonly state: 'accepted' }
  | { readonly state: 'not_found' }
  | { readonly state: 'final'; readonly report: BankReport }

export interface StatementLine {
  readonly line: number
  /** Ours where the line is of an instruction of ours, else the bank's own. */
  readonly reference: string
  /** The bank's own id of the booking, where it has one beside `reference`. */
  readonly bankReference?: string
  readonly currency: string
  /** Minor units; positive when our balance at the bank grows. */
  readonly amount: bigint
  readonly bookedAt: Date
  /** What else the bank says about it. */
  readonly description?: string
}

/** The four answers of a payee verification. */
export type NameCheck = 'match' | 'close_match' | 'no_match' | 'not_possible'

export interface NameAnswer {
  readonly result: NameCheck
  /** For a close match the name as the bank has it, where it tells. */
  readonly name?: string
}

/** Why a bank could not be asked or understood, most certain first. */
export type BankErrorCode =
  | 'bad_signature'
  | 'callback_expired'
  | 'bad_callback'
  | 'bank_unreachable'
  | 'bank_outcome_unknown'
  | 'bank_not_capable'

export class BankError extends Error {
  override readonly name = 'BankError'
  readonly code: BankErrorCode

  constructor(code: BankErrorCode, options?: ErrorOptions & { readonly detail?: string }) {
    super(options?.detail ?? code, options)
    this.code = code
  }
}

/** Also for one of a module that was loaded beside us, and has a class of its own. */
export const isBankError = (error: unknown): error is BankError =>
  error instanceof Error && error.name === 'BankError' && 'code' in error
