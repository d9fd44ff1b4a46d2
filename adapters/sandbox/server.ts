/**
 * A bank for development and tests: a real HTTP server with books of its own, which misbehaves when
 * an amount asks for it. It knows nothing of the database of whoever uses it.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { isCurrency } from '../../ledger/money.ts'
import { emptyBooks, isEntry, record, stateOf } from './bank.ts'
import { type FaultOptions, type Faults, openFaults, type RequestFault } from './faults.ts'
import { problem, readBody, send, type Reply } from './http.ts'
import { openJournal, type Journal } from './journal.ts'
import type { MessageKey } from '../message-signatures.ts'
import { start, startNotice, startRecall, write, type Bank } from './processing.ts'
import { answer } from './routes.ts'
import { gate, openTimer } from './waiting.ts'

export interface SandboxBankOptions {
  name: string
  /** 0 for any free one. */
  port: number
  host?: string
  /** `whsec_<base64>`: the partner's requests and our callbacks are signed with it. */
  secret: string
  journalFile: string
  /** Opened at the first start; from then on the journal knows better. */
  customers: readonly Customer[]
  callbackUrl: string
  callbackDelay_ms?: number
  clock?: () => Date
  /** Sign callbacks by RFC 9421 with this, instead of with the secret. */
  messageKey?: MessageKey
  /** Misbehave at random too; not at all unless told. */
  faults?: FaultOptions
}

export interface Customer {
  number: string
  holder: string
  currency: string
  /** In minor units. */
  balance: bigint
}

const CALLBACK_DELAY_MS = 150
const CALLBACKS_AT_ONCE_MAX = 32
const BODY_BYTES_MAX = 16 * 1024

export interface SandboxBank extends Pick<Faults, 'calm'> {
  readonly url: string
  readonly stop: () => Promise<void>
  /** What went wrong at random so far, and how often. */
  readonly faultCounts: Faults['counts']
}

/**
 * Opens the bank, and takes up whatever its journal says is unfinished.
 * `stop` lets nothing be lost: what is unfinished waits in the journal for the next start.
 * @throws {Error} if the journal is damaged or the port is taken.
 */
export async function startSandboxBank(options: SandboxBankOptions): Promise<SandboxBank> {
  const stopping = new AbortController()
  const { journal, entries } = await openJournal(options.journalFile)
  try {
    const bank = openBank(options, journal, stopping.signal)
    recordAll(bank, entries)
    for (const customer of options.customers) openAccount(bank, customer)
    await journal.synced()
    const { host = '127.0.0.1', port } = options
    const server = serve(bank)
    await once(server.listen(port, host), 'listening')
    takeUp(bank)
    const stop = async () => {
      stopping.abort()
      await closed(server)
      await Promise.all(bank.running)
      await journal.close()
    }
    const { calm, counts: faultCounts } = bank.faults
    return { url: `http://${host}:${portOf(server)}`, stop, calm, faultCounts }
  } catch (error) {
    await journal.close()
    throw error
  }
}

/** Everything that is not finished. */
function takeUp(bank: Bank): void {
  const { instructions, recalls, notices } = bank.books
  for (const instruction of instructions.values()) start(bank, instruction)
  for (const notice of notices.values()) startNotice(bank, notice)
  for (const [reference, original] of recalls) {
    const recalled = instructions.get(original)
    const isOpen = recalled !== undefined && stateOf(recalled) !== 'returned'
    if (isOpen && !notices.has(`evt_${reference}_kept`)) {
      startRecall(bank, reference, recalled)
    }
  }
}

function openBank(options: SandboxBankOptions, journal: Journal, stopping: AbortSignal): Bank {
  return {
    name: options.name,
    secret: options.secret,
    messageKey: options.messageKey,
    callbackUrl: options.callbackUrl,
    callbackDelay_ms: options.callbackDelay_ms ?? CALLBACK_DELAY_MS,
    clock: options.clock ?? (() => new Date()),
    books: emptyBooks(),
    journal,
    dropped: new Map(),
    running: new Set(),
    stopping,
    callbackSlot: gate(CALLBACKS_AT_ONCE_MAX),
    ...openTimer(stopping),
    faults: openFaults(options.faults),
  }
}

function recordAll(bank: Bank, entries: readonly unknown[]): void {
  for (const entry of entries) {
    if (!isEntry(entry)) throw new Error(`the journal of ${bank.name} has a line we do not know`)
    record(bank.books, entry)
  }
}

function openAccount(bank: Bank, { number, holder, currency, balance }: Customer): void {
  if (!isCurrency(currency)) throw new Error(`${number} is in no currency we know`)
  if (bank.books.accounts.has(`${currency} ${number}`)) return
  write(bank, { kind: 'opened', number, holder, currency, balance: balance.toString() })
}

function serve(bank: Bank): Server {
  return createServer((request, response) => {
    // The caller may be gone before it is answered: its loss, and no reason to stop the bank.
    reply(bank, request)
      .then((found) => send(response, found))
      .catch(() => response.destroy())
  })
}

/** What the books said when the request was read, told when the disk says so too. */
async function reply(bank: Bank, request: IncomingMessage): Promise<Reply> {
  const body = await readBody(request, BODY_BYTES_MAX)
  if (body === undefined) return problem(413, 'body_too_large')
  if (bank.failure !== undefined) return problem(500, 'out_of_order')
  const fault = bank.faults.forRequest()
  if (fault === 'request_lost') return { hangUp: true }
  if (fault === 'error_before') return problem(503, 'try_later')
  try {
    if (fault === 'late') await bank.sleep(LATE_MS)
    const found = answer(bank, request, body)
    await bank.journal.synced()
    return spoilt(found, fault)
  } catch {
    return problem(500, 'internal_error')
  }
}

/** Longer than anybody waits, and well within what the bank promises. */
const LATE_MS = 6_000

/** What the bank has done is done; only what it says about it goes wrong. */
function spoilt(found: Reply, fault: RequestFault | undefined): Reply {
  if (fault === 'reply_lost') return { hangUp: true }
  if (fault === 'error_after') return problem(500, 'internal_error')
  if (fault === 'garbage') return { status: 200, html: '<html>Under construction</html>' }
  return found
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

async function closed(server: Server): Promise<void> {
  const done = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await done
}
