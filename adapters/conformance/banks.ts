/** Our own sandbox banks, made ready to be tried: each with somebody who hears its callbacks. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type BankAdapter, type BankEvent, isBankError } from '../adapter.ts'
import { exampleAdapter } from '../example/adapter.ts'
import { startExampleBank } from '../example/bank.ts'
import { openFetch } from '../fetch.ts'
import { iso20022Adapter } from '../iso20022/adapter.ts'
import { startFileBank } from '../iso20022/sandbox/bank.ts'
import type { MessageKey } from '../message-signatures.ts'
import { sandboxAdapter } from '../sandbox/adapter.ts'
import { startSandboxBank } from '../sandbox/server.ts'
import type { BankUnderTest, Callback } from './kit.ts'

export interface Opened {
  readonly bank: BankUnderTest
  readonly close: () => Promise<void>
}

const TIMEOUT_MS = 1_500
const RICH = 100_000_000n
const WHOSE = { holder: 'Ada Lovelace', currency: 'EUR' } as const
const NAMES = { similar: 'Ada Lovelase', other: 'Charles Babbage' }
const options = {
  ...{ timeout_ms: TIMEOUT_MS, enquiryTimeout_ms: TIMEOUT_MS, fetch: openFetch(TIMEOUT_MS) },
  clock: () => new Date(),
}

/** By the last two digits, as the sandbox banks have them. */
const AMOUNTS = {
  ...{ settled: 1_250n, rejected: 1_291n, silent: 1_292n, error: 1_295n, garbage: 1_296n },
  ...{ returned: 1_298n, recall_returned: 1_250n, recall_refused: 1_287n },
}

/** Keeps every callback, and hears what the adapter makes of it. */
export async function startListener(at = { host: '127.0.0.1', port: 0 }) {
  const callbacks: Callback[] = []
  const server = createServer((request, response) => {
    buffer(request).then(
      (body) => {
        callbacks.push({ headers: request.headers, body })
        response.writeHead(200).end()
      },
      () => response.destroy(),
    )
  })
  server.listen(at.port, at.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...{ url: `http://127.0.0.1:${port}`, callbacks },
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** An address at which somebody listened a moment ago. */
export async function nowhere(): Promise<string> {
  const listener = await startListener()
  await listener.stop()
  return listener.url
}

/** What was called back and can be believed; what cannot is not an event. */
export const eventsIn = (adapter: BankAdapter, callbacks: readonly Callback[]) =>
  callbacks.flatMap(({ headers, body }): BankEvent[] => {
    try {
      return [adapter.readCallback(headers, body, new Date())]
    } catch (error) {
      if (isBankError(error)) return []
      throw error
    }
  })

/** @param keys by which it signs what it calls back with; by the secret alone where undefined. */
async function openSandbox(keys?: Keys): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-certify-'))
  const listener = await startListener()
  const account = { number: 'NL01ADA', ...WHOSE, balance: RICH }
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
  const server = await startSandboxBank({
    ...{ name: 'sandbox', port: 0, secret, customers: [account], callbackDelay_ms: 10 },
    ...{
      journalFile: join(folder, 'journal.jsonl'),
      callbackUrl: `${listener.url}/v1/banks/sandbox/callbacks`,
    },
    ...(keys && { messageKey: keys.signing }),
  })
  const known = { name: 'sandbox', secret, callbackKeys: keys && [keys.checking] }
  const adapter = sandboxAdapter({ ...known, url: server.url }, options)
  const bank: BankUnderTest = {
    ...{ adapter, currency: 'EUR', rail: 'internal', account, names: NAMES, amounts: AMOUNTS },
    nowhere: sandboxAdapter({ ...known, url: await nowhere() }, options),
    nobody: { number: 'NL99NOBODY', holder: 'Nobody' },
    heard: async () => eventsIn(adapter, listener.callbacks),
    callbacks: () => listener.callbacks,
  }
  const close = async () => {
    await server.stop()
    await listener.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { bank, close }
}

interface Keys {
  readonly signing: MessageKey
  readonly checking: MessageKey
}

function newKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const named = { id: 'sandbox-1', algorithm: 'ed25519' } as const
  return { signing: { ...named, key: privateKey }, checking: { ...named, key: publicKey } }
}

async function openExample(): Promise<Opened> {
  const listener = await startListener()
  const account = { number: 'EX-1001', holder: WHOSE.holder }
  const server = await startExampleBank({ customers: [account], callbackUrl: listener.url })
  const { url, token, publicKey } = server
  const adapter = exampleAdapter({ name: 'example', url, token, publicKey }, options)
  const bank: BankUnderTest = {
    ...{ adapter, currency: 'EUR', rail: 'internal', account, names: NAMES, amounts: AMOUNTS },
    nowhere: exampleAdapter({ name: 'example', url: await nowhere(), token, publicKey }, options),
    nobody: { number: 'EX-9999', holder: 'Nobody' },
    heard: async () => eventsIn(adapter, listener.callbacks),
    callbacks: () => listener.callbacks,
  }
  const close = async () => {
    await server.stop()
    await listener.stop()
  }
  return { bank, close }
}

async function openFiles(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-certify-'))
  const accounts = { EUR: { iban: 'NL91ABNA0417164300' } }
  const account = { number: 'DE89370400440532013000', ...WHOSE, balance: RICH }
  const config = {
    ...{ name: 'files', currencies: ['EUR'], folder: join(folder, 'exchange'), accounts },
    ...{ initiator: { name: 'Florin' }, bic: 'FLRNNL2AXXX' },
    creditor: { id: 'NL98ZZZ999999990000', mandatesSignedOn: '2026-01-01' },
  }
  const adapter = iso20022Adapter(config, options)
  const server = await startFileBank({
    ...{ name: 'files', folder: config.folder, accounts, customers: [account] },
    ...{ journalFile: join(folder, 'journal.jsonl'), delay_ms: 0, poll_ms: 5 },
  })
  const events: BankEvent[] = []
  const bank: BankUnderTest = {
    ...{ adapter, currency: 'EUR', rail: 'internal', account, names: NAMES },
    amounts: AMOUNTS,
    nobody: { number: 'GB82WEST12345698765432', holder: 'Nobody' },
    async heard() {
      for await (const file of adapter.collect()) {
        events.push(...file.events)
        await file.accept()
      }
      return events
    },
    callbacks: () => [],
    endDay: server.closeDay,
  }
  const close = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { bank, close }
}

export const OURS = {
  ...{ sandbox: () => openSandbox(), 'sandbox-rfc9421': () => openSandbox(newKeys()) },
  ...{ iso20022: openFiles, example: openExample },
} as const satisfies Readonly<Record<string, () => Promise<Opened>>>
