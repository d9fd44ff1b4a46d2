/** The example's bank: a small HTTP server with books in memory that does what amounts ask. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compareNames } from '../sandbox/names.ts'

export interface ExampleBank {
  readonly url: string
  readonly token: string
  readonly publicKey: string
  readonly stop: () => Promise<void>
}

interface Holder {
  readonly number: string
  readonly holder: string
}

interface Transfer {
  readonly reference: string
  readonly type: string
  readonly amount: string
  readonly currency: string
  report: string | undefined
}

interface Books {
  readonly customers: readonly Holder[]
  readonly transfers: Map<string, Transfer>
  readonly lines: string[]
  readonly key: KeyObject
  readonly callbackUrl: string
}

/** What the last two digits of an amount ask for. */
const ASKED: Readonly<Record<string, string>> = {
  ...{ '91': 'refuse', '92': 'say nothing', '95': 'fail', '96': 'babble', '98': 'send it back' },
}
const askedBy = ({ amount }: Transfer) => ASKED[amount.replace('.', '').slice(-2)]

export async function startExampleBank(options: {
  readonly customers: readonly Holder[]
  readonly callbackUrl: string
}): Promise<ExampleBank> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const token = randomUUID()
  const books: Books = { ...options, transfers: new Map(), lines: [], key: privateKey }
  const server = createServer((request, response) => {
    answer(books, token, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...{ url: `http://127.0.0.1:${port}`, token },
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

async function answer(
  books: Books,
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (status: number, text: string) => void response.writeHead(status).end(text)
  if (request.headers.authorization !== `Bearer ${token}`) return say(401, 'WHO ARE YOU')
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://bank')
  if (pathname === '/statement') {
    return say(200, [...books.lines, `END ${books.lines.length}\n`].join('\n'))
  }
  if (pathname === '/names') return say(200, nameOf(books, searchParams))
  const reference = searchParams.get('ref') ?? ''
  if (request.method === 'GET') {
    const known = books.transfers.get(reference)
    if (known === undefined) return say(404, `UNKNOWN ${reference}`)
    return say(200, known.report ?? `TAKEN ${reference}`)
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const form = new URLSearchParams(Buffer.concat(chunks).toString())
  return take(books, form, say, () => void response.destroy())
}

function nameOf({ customers }: Books, asked: URLSearchParams): string {
  const held = customers.find(({ number }) => number === asked.get('number'))
  if (held === undefined) return 'UNKNOWN'
  const compared = compareNames(held.holder, asked.get('holder') ?? '')
  return { match: 'SAME', close_match: 'SIMILAR', no_match: 'OTHER' }[compared]
}

/** A reference is executed once, however often it comes. */
function take(
  books: Books,
  form: URLSearchParams,
  say: (status: number, text: string) => void,
  hangUp: () => void,
): void {
  const text = (name: string) => form.get(name) ?? ''
  const reference = text('ref')
  if (books.transfers.has(reference)) return say(409, `KNOWN ${reference}`)
  const transfer: Transfer = {
    ...{ reference, type: text('type'), amount: text('amount'), currency: text('currency') },
    report: undefined,
  }
  books.transfers.set(reference, transfer)
  const isKnown = books.customers.some(({ number }) => number === text('number'))
  const asked = isKnown ? askedBy(transfer) : 'refuse'
  setTimeout(() => void execute(books, transfer, asked, isKnown ? 'AC04' : 'AC01'), 20)
  if (asked === 'say nothing') return hangUp()
  if (asked === 'fail') return say(500, 'SOMETHING IS WRONG')
  if (asked === 'babble') return say(200, '<html>Welcome</html>')
  say(200, `TAKEN ${reference}`)
}

async function execute(
  books: Books,
  transfer: Transfer,
  asked: string | undefined,
  reason: string,
): Promise<void> {
  if (asked === 'refuse') return tell(books, transfer, 'REFUSED', reason)
  book(books, transfer, 'DONE')
  await (asked === 'say nothing' || tell(books, transfer, 'DONE'))
  if (asked !== 'send it back') return
  book(books, transfer, 'BACK')
  await tell(books, transfer, 'BACK', 'AC06')
}

/** Positive where the partner gains: what it pulls in, and what comes back of what it pushed. */
function book({ lines }: Books, transfer: Transfer, word: string): void {
  const { reference, type, amount, currency } = transfer
  const gains = (type === 'PULL') === (word === 'DONE')
  const signed = gains ? amount : `-${amount}`
  lines.push([lines.length + 1, reference, signed, currency, now()].join(' '))
  transfer.report = reportOf(transfer, word)
}

const now = () => `${new Date().toISOString().slice(0, 19)}Z`

const reportOf = ({ reference, amount, currency }: Transfer, word: string, reason?: string) =>
  [word, reference, amount, currency, `E-${reference}-${word}`, now(), reason]
    .filter((part) => part !== undefined)
    .join(' ')

/** Once: a partner that is away asks. */
async function tell(
  { callbackUrl, key }: Books,
  transfer: Transfer,
  word: string,
  reason?: string,
): Promise<void> {
  transfer.report = reportOf(transfer, word, reason)
  const body = Buffer.from(`${new Date().toISOString()}\n${transfer.report}`)
  const headers = { 'x-signature': sign(null, body, key).toString('base64') }
  await fetch(callbackUrl, { method: 'POST', headers, body }).catch(() => undefined)
}
