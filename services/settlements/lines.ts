/**
 * The lines of a batch or a month: an account's movements, those of one thing together. They are
 * read from the entries as they are asked for, so that any length costs the same memory.
 */
import type { Knex } from 'knex'
import {
  type AccountId,
  type Entry,
  findEntries,
  transferIdAt,
  type TransferId,
  type Uuid,
} from '../../ledger/index.ts'
import { type Kind, publicId } from '../ids.ts'
import { orderReferences } from './references.ts'
import { signed } from './sums.ts'

/** `net = gross - fee - tax`, in minor units: how the line changes what we owe the merchant. */
export interface Line {
  /** Its last entry: what comes beyond is the next line. */
  readonly entry: bigint
  readonly code: string
  readonly reference: Uuid
  /** By what the merchant knows what it is about; null where no order was paid. */
  readonly orderReference: string | null
  readonly transfer: TransferId
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly net: bigint
  /** Of the account, after it. */
  readonly balance: bigint
  readonly at: Date
}

/** Which column an amount stands in; what is in neither is gross. */
const FEES: ReadonlySet<string> = new Set(['fee', 'fee_returned', 'dispute_fee'])
const TAXES: ReadonlySet<string> = new Set(['tax', 'tax_returned'])
/** What of a payment or a refund is others': no name for all of it. */
const SHARES: ReadonlySet<string> = new Set(['split', 'split_returned'])

interface Reading {
  readonly beyond: bigint
  readonly last: bigint
  /** Entries that are no lines. */
  readonly without?: readonly bigint[]
  /** How many entries are read at a time. */
  readonly batch?: number
}

const BATCH = 1_000

/** In the order of their recording; what merchants call them is found for many at a time. */
export async function* linesOf(
  db: Knex,
  account: AccountId,
  reading: Reading,
): AsyncGenerator<Line> {
  const atOnce = reading.batch ?? BATCH
  let chunk: Line[] = []
  for await (const line of movementsOf(db, account, reading)) {
    chunk.push(line)
    if (chunk.length < atOnce) continue
    yield* await named(db, chunk)
    chunk = []
  }
  yield* await named(db, chunk)
}

async function named(db: Knex, lines: readonly Line[]): Promise<readonly Line[]> {
  const subjects = lines.map(({ code, reference }) => ({ kind: REFERENCES[code], id: reference }))
  const found = await orderReferences(db, subjects)
  return lines.map((line) => ({ ...line, orderReference: found.get(line.reference) ?? null }))
}

async function* movementsOf(
  db: Knex,
  account: AccountId,
  { beyond, last, without = [], batch = BATCH }: Reading,
): AsyncGenerator<Line> {
  const left = new Set(without)
  let line: Line | undefined
  for await (const entry of entriesOf(db, account, { beyond, last, batch })) {
    if (entry.kind === 'pending' || entry.kind === 'void' || left.has(entry.entry)) continue
    const isSame = line !== undefined && unitOf(line.transfer) === unitOf(entry.transferId)
    if (line !== undefined && isSame && line.reference === entry.reference) {
      line = joined(line, entry)
      continue
    }
    if (line !== undefined) yield line
    line = joined(undefined, entry)
  }
  if (line !== undefined) yield line
}

async function* entriesOf(
  db: Knex,
  account: AccountId,
  { beyond, last, batch }: Pick<Reading, 'beyond' | 'last'> & { readonly batch: number },
): AsyncGenerator<Entry> {
  for (let from = beyond; from < last;) {
    const page = { order: 'oldest', beyond: from, last, limit: batch } as const
    const entries = await findEntries(db, account, page)
    yield* entries
    from = entries.at(-1)?.entry ?? last
  }
}

const unitOf = (transfer: TransferId) => transferIdAt(transfer, 0)

function joined(line: Line | undefined, entry: Entry): Line {
  const change = signed(entry.side, entry.amount)
  const isFee = FEES.has(entry.code)
  const isTax = TAXES.has(entry.code)
  const { code, reference, transfer, at, gross, fee, tax, net } = line ?? {
    ...{ code: entry.code, reference: entry.reference, transfer: entry.transferId },
    ...{ at: entry.recordedAt, gross: 0n, fee: 0n, tax: 0n, net: 0n },
  }
  return {
    ...{ entry: entry.entry, reference, transfer, at, balance: entry.balance },
    orderReference: null,
    // A refund is a refund, whether the fee that comes back with it was booked first or not.
    code: isFee || isTax || SHARES.has(entry.code) ? code : entry.code,
    gross: isFee || isTax ? gross : gross + change,
    fee: isFee ? fee - change : fee,
    tax: isTax ? tax - change : tax,
    net: net + change,
  }
}

/** What the reference of each code is the id of; where nothing is said, the transfer is named. */
const REFERENCES: Readonly<Record<string, Kind>> = {
  ...{ payment: 'pay', fee: 'pay', tax: 'pay', split: 'pay', reversal: 'pay' },
  ...{ refund: 'rfd', fee_returned: 'rfd', tax_returned: 'rfd', split_returned: 'rfd' },
  ...{ dispute: 'dsp', dispute_fee: 'dsp', chargeback_reversed: 'dsp' },
  ...{ payout: 'set', payout_rejected: 'ins', return: 'ins' },
}

/** The public id of what the line is about. */
export function subjectOf({ code, reference, transfer }: Line): string {
  const kind = REFERENCES[code]
  return kind === undefined ? publicId('trf', transfer) : publicId(kind, reference)
}

export const lineOut = (line: Line) => ({
  ...{ id: subjectOf(line), entry: line.entry.toString(), code: line.code },
  order_reference: line.orderReference,
  ...{ gross: line.gross.toString(), fee: line.fee.toString(), tax: line.tax.toString() },
  ...{ net: line.net.toString(), at: line.at.toISOString() },
})
