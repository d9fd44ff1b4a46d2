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

  /**
   * Asks the bank to move the money. `instruction.reference` is the bank's idempotency key for
   * ever.
   * @throws {BankError} `bank_unreachable` if the request cannot have arrived,
   *   `bank_outcome_unknown` if it may have.
   */
  submit(instruction: Instruction): Promise<BankAnswer>

  /**
   * Asks what became of an instruction, for when its callback does not come.
   * `not_found` is not a refusal: a request may still be on its way until the bank's cut-off.
   * @throws {BankError} as `submit` does.
   */
  enquire(reference: string): Promise<BankAnswer>

  /**
   * Authenticates and reads a callback. Pure: touches neither network nor clock.
   * @param body the bytes as they arrived; the signature covers exactly these.
   * @throws {BankError} `bad_signature`, `callback_expired` or `bad_callback`.
   */
  readCallback(headers: Headers, body: Buffer, now: Date): BankReport

  /**
   * The lines of our own account at the bank, oldest first, as the bank books them.
   * @throws {BankError} as `submit` does.
   */
  fetchStatement(): AsyncIterable<StatementLine>

  /**
   * Whether the account exists and belongs to the holder.
   * @throws {BankError} as `submit` does.
   */
  checkName(account: BankAccountDetails): Promise<NameCheck>
}

/** As Node gives them: lower-case names. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** `debit` takes money from the customer's account for us; `credit` pays it out of ours. */
export type Direction = 'debit' | 'credit'

export interface BankAccountDetails {
  readonly number: string
  readonly holder: string
}

export interface Instruction {
  /** Ours, written down before the first call and never replaced: `[A-Z0-9]{1,35}`. */
  readonly reference: string
  readonly direction: Direction
  readonly money: Money
  readonly account: BankAccountDetails
}

/** What became of an instruction. */
export interface BankReport {
  /** The bank's id for this event; a copy carries the same one. */
  readonly eventId: string
  readonly reference: string
  readonly outcome: 'settled' | 'rejected' | 'returned'
  /** What the bank moved, or refused to move. */
  readonly money: Money
  /** Why, in the bank's own words; for `rejected` and `returned`. */
  readonly reason?: string
  /** When the bank says it happened. */
  readonly occurredAt: Date
}

export type BankAnswer =
  | { readonly state: 'accepted' }
  | { readonly state: 'not_found' }
  | { readonly state: 'final'; readonly report: BankReport }

export interface StatementLine {
  readonly line: number
  readonly reference: string
  readonly currency: string
  /** Minor units; positive when our balance at the bank grows. */
  readonly amount: bigint
  readonly bookedAt: Date
}

/** The four answers of a payee verification. */
export type NameCheck = 'match' | 'close_match' | 'no_match' | 'not_possible'

/** Why a bank could not be asked or understood, most certain first. */
export type BankErrorCode =
  | 'bad_signature'
  | 'callback_expired'
  | 'bad_callback'
  | 'bank_unreachable'
  | 'bank_outcome_unknown'

export class BankError extends Error {
  override readonly name = 'BankError'
  readonly code: BankErrorCode

  constructor(code: BankErrorCode, options?: ErrorOptions & { readonly detail?: string }) {
    super(options?.detail ?? code, options)
    this.code = code
  }
}
