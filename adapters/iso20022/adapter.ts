/** Speaks with a bank in files of ISO 20022, through a directory of exchange. */
import {
  BankError,
  UNSUPPORTED,
  type BankAdapter,
  type Capability,
  type Collected,
} from '../adapter.ts'
import type { Money } from '../../ledger/money.ts'
import type { Accounts } from './accounts.ts'
import { CAMT053 } from './camt053.ts'
import type { Iso20022Config } from './config.ts'
import {
  exchangeIn,
  isForbidden,
  isGone,
  unreachable,
  type Exchange,
  type Incoming,
} from './exchange.ts'
import { readMessage, type Message, type Sent } from './messages.ts'
import { orderOf, recallOf } from './orders.ts'
import { statementsIn, type Statements } from './statements.ts'
import { hashOf, isChecked } from './text.ts'
import { moneyAt } from './values.ts'
import { BadFile, messageOf, neededText, readUnits, type Bytes } from './xml.ts'

const CAPABILITIES: readonly Capability[] = [
  ...(['batch', 'collect', 'credit', 'return', 'recall', 'statement'] as const),
]

/** Of a file that is read whole before anything of it is believed; statements may be longer. */
const FILE_BYTES_MAX = 32 * 1024 * 1024

export function iso20022Adapter(
  config: Iso20022Config,
  { clock }: { readonly clock: () => Date },
): BankAdapter {
  checkConfig(config)
  const exchange = exchangeIn(config.folder)
  const statements = statementsIn(exchange, config.accounts)
  return {
    ...UNSUPPORTED,
    name: config.name,
    capabilities: new Set([
      ...CAPABILITIES,
      ...(config.creditor === undefined ? [] : (['debit'] as const)),
    ]),

    submitBatch: (batch) => handOver(exchange, nameOf(batch.id), () => orderOf(config, batch)),

    async recall(recall) {
      const name = nameOf(recall.reference)
      await handOver(exchange, `recall-${name}`, () => recallOf(config, recall, clock()))
      return { state: 'accepted' }
    },

    collect: () => collected(exchange, statements, config.accounts),

    fetchStatement: () => statements.lines(),
  }
}

/** @throws {Error} for a configuration that cannot be meant: better now than from the bank. */
function checkConfig({ name, currencies, accounts, bic }: Iso20022Config): void {
  const missing = currencies.filter((code) => accounts[code] === undefined)
  if (missing.length > 0) throw new Error(`${name}: no account in ${missing.join(' ')}`)
  for (const account of Object.values(accounts))
    if ('iban' in account && !isChecked(account.iban))
      throw new Error(`${name}: ${account.iban} is not an IBAN`)
  if (!/^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/.test(bic))
    throw new Error(`${name}: ${bic} is not a BIC`)
}

/** The names of our files come from our own references, and from nothing else. */
function nameOf(reference: string): string {
  if (!/^[A-Z0-9]{1,35}$/.test(reference)) throw new Error(`${reference} is no name for a file`)
  return `${reference}.xml`
}

/**
 * Whatever fails before the file is laid ready cannot have reached the bank; from then on it may
 * have, or will as soon as the same file is handed over again.
 */
async function handOver(exchange: Exchange, name: string, write: () => Buffer): Promise<void> {
  let staged: string | undefined
  try {
    if (!(await exchange.isSent(name))) staged = await exchange.stage(name, written(write))
  } catch (error) {
    throw unreachable(error)
  }
  try {
    await exchange.handOver(name, staged)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new BankError('bank_outcome_unknown', { cause, detail: `the directory: ${detail}` })
  }
}

/** A file that cannot be written is a fault of the order, found before any bank can know of it. */
function written(write: () => Buffer): Buffer {
  try {
    return write()
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new BankError('bank_not_capable', { cause, detail })
  }
}

/** Statements are kept for who asks for them; one that cannot be is a file with a fault. */
async function* collected(
  exchange: Exchange,
  statements: Statements,
  accounts: Accounts,
): AsyncGenerator<Collected> {
  for (const file of await listed(exchange)) {
    const read = await readOrFault(exchange, accounts, file)
    if (read === 'not ours') continue
    if ('fault' in read) yield faulty(exchange, file, read.fault)
    else
      yield {
        messageId: read.id,
        name: file.name,
        events: read.events,
        accept: () => exchange.move(file, 'processed'),
        reject: (reason) => exchange.fail(file, reason),
      }
  }
  for (const { file, fault } of await statements.take()) yield faulty(exchange, file, fault)
}

/** However it is answered, a file that nobody can read is set aside: it holds no event. */
function faulty(exchange: Exchange, file: Incoming, fault: string): Collected {
  const { name, written_ms, size_bytes } = file
  const id = hashOf(name, String(written_ms), String(size_bytes)).slice(0, 32)
  return {
    ...{ messageId: `unreadable ${id}`, name, events: [], fault },
    accept: () => exchange.fail(file, fault),
    reject: (reason) => exchange.fail(file, reason),
  }
}

async function listed(exchange: Exchange) {
  try {
    return await exchange.list('reading')
  } catch (error) {
    throw unreachable(error)
  }
}

async function readOrFault(
  exchange: Exchange,
  accounts: Accounts,
  file: Incoming,
): Promise<'not ours' | Message | { readonly fault: string }> {
  try {
    if ((await messageOf(exchange.read(file.path))) === CAMT053) return 'not ours'
    if (file.size_bytes > FILE_BYTES_MAX) return { fault: 'the file is too long' }
    return await readMessage(exchange.read(file.path), sentBy(exchange), accounts)
  } catch (error) {
    if (error instanceof BadFile) return { fault: error.message }
    if (isGone(error)) return 'not ours'
    if (isForbidden(error)) return { fault: 'we may not read the file' }
    throw unreachable(error)
  }
}

const SENT: Readonly<Record<string, { readonly amount: string; readonly reference: string }>> = {
  'CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf': {
    ...{ amount: 'Amt/InstdAmt', reference: 'PmtId/EndToEndId' },
  },
  'CstmrDrctDbtInitn/PmtInf/DrctDbtTxInf': {
    ...{ amount: 'InstdAmt', reference: 'PmtId/EndToEndId' },
  },
  'FIToFIPmtCxlReq/Undrlyg/TxInf': {
    ...{ amount: 'OrgnlIntrBkSttlmAmt', reference: 'OrgnlEndToEndId' },
  },
}

const SENT_OUTLINES = ['pain.001.001.09', 'pain.008.001.08', 'camt.056.001.08'].map((message) => ({
  message,
  units: Object.keys(SENT),
}))

const sentBy =
  (exchange: Exchange): Sent =>
  async (id) => {
    const bytes = await exchange.readSent(`${id}.xml`)
    return bytes === undefined ? undefined : ordersIn(bytes)
  }

async function ordersIn(bytes: Bytes): Promise<ReadonlyMap<string, Money>> {
  const orders = new Map<string, Money>()
  for await (const { path, element } of readUnits(bytes, SENT_OUTLINES)) {
    const { amount, reference } = SENT[path] ?? { amount: '', reference: '' }
    orders.set(neededText(element, reference), moneyAt(element, amount))
  }
  return orders
}
