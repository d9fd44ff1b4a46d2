/** A sandbox bank of one's own, and somebody to receive its callbacks. */
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { BankAdapter, BankReport, Instruction, StatementLine } from '../../adapters/adapter.ts'
import { openBanks } from '../../adapters/index.ts'
import type { BankOptions } from '../../adapters/options.ts'
import { startSandboxBank, type SandboxBankOptions } from '../../adapters/sandbox/server.ts'

export const SECRET = `whsec_${Buffer.from('a secret of twenty-nine bytes').toString('base64')}`

export const ADA = { number: 'NL01ADA', holder: 'Ada Lovelace', currency: 'EUR' }
export const BEN = { number: 'NL02BEN', holder: 'Ben Bitdiddle', currency: 'EUR' }
export const YUKI = { number: 'JP03YUKI', holder: '山田 ゆき', currency: 'JPY' }
const CUSTOMERS = [ADA, BEN, YUKI].map((one) => ({ ...one, balance: 1_000_000n }))

export interface Callback {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Site {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** An HTTP server on a free port. */
export async function startSite(listener: RequestListener): Promise<Site> {
  const server = createServer(listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const stop = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${address.port}`, stop }
}

/** Keeps every callback, and answers with the next of `statuses`, or 200 when there is none. */
export async function startReceiver(...statuses: number[]) {
  const received: Callback[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    received.push({ headers: request.headers, body: await buffer(request) })
    response.writeHead(statuses.shift() ?? 200).end()
  }
  const site = await startSite((request, response) => void receive(request, response))
  return { ...site, received }
}

export const temporaryFolder = () => mkdtemp(join(tmpdir(), 'florin-'))

/** A bank that is quick, with the customers above, and the journal in a folder of its own. */
export async function startBank(options: Partial<SandboxBankOptions> = {}) {
  const all: SandboxBankOptions = {
    name: 'north',
    port: 0,
    secret: SECRET,
    journalFile: options.journalFile ?? join(await temporaryFolder(), 'journal.jsonl'),
    customers: CUSTOMERS,
    callbackUrl: 'http://127.0.0.1:9/nobody',
    callbackDelay_ms: 20,
    ...options,
  }
  return { ...(await startSandboxBank(all)), journalFile: all.journalFile }
}

export function adapterFor(
  url: string,
  options: BankOptions = {},
  secrets: { secret: string; previousSecret?: string } = { secret: SECRET },
) {
  const config = { name: 'north', protocol: 'sandbox', url, currencies: ['EUR', 'JPY'] } as const
  const adapter = openBanks([{ ...config, ...secrets }], options).get('north')
  if (adapter === undefined) throw new Error('the bank did not open')
  return adapter
}

/** All lines of our account at the bank. */
export async function statementOf(adapter: BankAdapter): Promise<readonly StatementLine[]> {
  const lines: StatementLine[] = []
  for await (const line of adapter.fetchStatement()) lines.push(line)
  return lines
}

let references = 0

/** Takes `amount` EUR cents from Ada, unless told otherwise. */
export function instruction(amount: bigint, change: Partial<Instruction> = {}): Instruction {
  references += 1
  return {
    reference: `REF${references}`,
    direction: 'debit',
    rail: 'internal',
    money: { amount, currency: 'EUR' },
    account: ADA,
    ...change,
  }
}

/** Asks again every few milliseconds until the answer is true, for at most ten seconds. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await isTrue()) return
    await pause(10)
  }
  throw new Error('it did not happen within ten seconds')
}

/** The code of the error that `work` throws, or what it says if it does not throw. */
export const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )

/** The report of an instruction that this submits and waits for. */
export async function finished(url: string, order: Instruction): Promise<BankReport> {
  const adapter = adapterFor(url)
  await adapter.submit(order)
  for (;;) {
    const answer = await adapter.enquire(order.reference)
    if (answer.state === 'final') return answer.report
    await pause(10)
  }
}

/** The balances that the bank shows to people: ours, and everybody's together, by currency. */
export async function booksOf(url: string) {
  type Balance = { currency: string; balance: string }
  const response = await fetch(`${url}/books`)
  const books: { partner: Balance[]; accounts: Balance[] } = JSON.parse(await response.text())
  const sum = (balances: Balance[]) => {
    const sums: Record<string, bigint> = {}
    for (const { currency, balance } of balances)
      sums[currency] = (sums[currency] ?? 0n) + BigInt(balance)
    return sums
  }
  return { partner: sum(books.partner), total: sum([...books.partner, ...books.accounts]) }
}
