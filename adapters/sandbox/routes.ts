/** What the sandbox bank answers. Nothing here waits: the books are in memory. */
import type { IncomingMessage } from 'node:http'
import { BankError } from '../adapter.ts'
import { verifySignature } from '../signature.ts'
import { refusalOf, stateOf, type Books, type Instruction, type Line } from './bank.ts'
import { BEHAVIOURS, behaviourOf, type Behaviour } from './behaviours.ts'
import { problem, type Reply } from './http.ts'
import { compareNames } from './names.ts'
import * as parse from './parse.ts'
import { start, write, type Bank } from './processing.ts'

interface Asked {
  readonly url: URL
  /** The part of the path that the route leaves open. */
  readonly key: string
  readonly body: Buffer
}

interface Route {
  readonly method: string
  readonly path: RegExp
  /** For people who look around: no signature needed. */
  readonly open?: true
  readonly handle: (bank: Bank, asked: Asked) => Reply
}

const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/instructions()$/, handle: submit },
  { method: 'GET', path: /^\/instructions\/([^/]+)$/, handle: enquire },
  { method: 'GET', path: /^\/statement()$/, handle: showStatement },
  { method: 'GET', path: /^\/accounts\/([^/]+)$/, handle: checkName },
  { method: 'GET', path: /^\/books()$/, open: true, handle: showBooks },
]

const NUMBER = /^[^\p{Cc}\p{Cs}]{1,64}$/u

export function answer(bank: Bank, request: IncomingMessage, body: Buffer): Reply {
  const { method, url: target = '/', headers } = request
  if (!URL.canParse(target, 'http://bank')) return problem(400, 'bad_url')
  const url = new URL(target, 'http://bank')
  const route = ROUTES.find((one) => one.method === method && one.path.test(url.pathname))
  if (route === undefined) return problem(404, 'no_such_route')
  if (route.open !== true && !isSigned(bank, headers, body)) return problem(401, 'bad_signature')
  const key = decoded(route.path.exec(url.pathname)?.[1] ?? '')
  return key === undefined ? problem(400, 'bad_url') : route.handle(bank, { url, key, body })
}

function submit(bank: Bank, { body }: Asked): Reply {
  const asked = instructionIn(body)
  if (asked === undefined) return problem(400, 'bad_request')
  const { reference, amount, currency } = asked
  if (bank.books.instructions.has(reference)) return problem(409, 'duplicate_reference')
  const behaviour = behaviourOf(amount)
  if (behaviour.dropsFirst && !bank.dropped.delete(reference)) {
    bank.dropped.add(reference)
    return { hangUp: true }
  }
  write(bank, { kind: 'accepted', ...asked, amount: amount.toString() })
  const refusal = refusalOf(bank.books, currency)
  if (refusal !== undefined) return refuse(bank, reference, refusal)
  start(bank, held(bank.books, reference))
  return ANSWERS[behaviour.answer](reference)
}

const ANSWERS: Readonly<Record<Behaviour['answer'], (reference: string) => Reply>> = {
  accepted: (reference) => ({ status: 202, json: { reference, state: 'accepted' } }),
  hang_up: () => ({ hangUp: true }),
  error: () => problem(500, 'internal_error'),
  garbage: () => ({ status: 200, html: '<html><body>Welcome to your bank!</body></html>' }),
}

/** Final at once. The answer is the only report, but an enquiry says the same for ever. */
function refuse(bank: Bank, reference: string, reason: string): Reply {
  const at = bank.clock().toISOString()
  write(bank, { kind: 'executed', reference, outcome: 'rejected', reason, at })
  write(bank, { kind: 'delivered', reference, outcome: 'rejected' })
  return { status: 422, json: view(held(bank.books, reference)) }
}

function enquire(bank: Bank, { key }: Asked): Reply {
  const instruction = bank.books.instructions.get(key)
  if (instruction !== undefined) return { status: 200, json: view(instruction) }
  return { status: 404, json: { error: 'not_found', reference: key } }
}

/** The lines there are now; those booked while it is sent are in the next one. */
function showStatement({ books }: Bank): Reply {
  const count = books.statement.length
  return { status: 200, lines: firstLines(books.statement, count) }
}

function checkName({ books }: Bank, { url, key }: Asked): Reply {
  const holder = url.searchParams.get('holder')
  if (holder === null || !parse.LINE_OF_TEXT.test(holder)) return problem(400, 'bad_holder')
  const account = [...books.accounts.values()].find((one) => one.number === key)
  const result = account === undefined ? 'not_possible' : compareNames(account.holder, holder)
  return { status: 200, json: { result } }
}

function showBooks({ name, books }: Bank): Reply {
  const accounts = [...books.accounts.values()].map(({ balance, ...account }) => ({
    ...account,
    balance: balance.toString(),
  }))
  const partner = [...books.partner].map(([currency, balance]) => ({
    currency,
    balance: balance.toString(),
  }))
  const magic = Object.values(BEHAVIOURS).map(({ digits, sentence }) => ({
    last_two_digits: digits?.toString() ?? null,
    sentence,
  }))
  const counts = { instructions: books.instructions.size, statement_lines: books.statement.length }
  return { status: 200, json: { name, partner, accounts, ...counts, magic_amounts: magic } }
}

function instructionIn(body: Buffer) {
  try {
    const fields = parse.parseFields(body)
    const account = parse.asFields(fields['account'])
    parse.textOf(account, 'holder', parse.LINE_OF_TEXT)
    return {
      reference: parse.textOf(fields, 'reference', parse.REFERENCE),
      direction: parse.oneOf(fields, 'direction', ['debit', 'credit']),
      ...parse.moneyOf(fields),
      number: parse.textOf(account, 'number', NUMBER),
    }
  } catch {
    return undefined
  }
}

function view(instruction: Instruction): object {
  const { reference, amount, currency, events } = instruction
  const event = events.at(-1)
  const state = stateOf(instruction)
  const known = { reference, state, amount: amount.toString(), currency }
  if (event === undefined) return known
  return { ...known, reason: event.reason, event_id: event.id, occurred_at: event.at }
}

function held(books: Books, reference: string): Instruction {
  const instruction = books.instructions.get(reference)
  if (instruction === undefined) throw new Error(`${reference} was not written down`)
  return instruction
}

function* firstLines(statement: readonly Line[], count: number): Generator<object> {
  for (const [index, line] of statement.entries()) {
    if (index === count) return
    yield { ...line, amount: line.amount.toString() }
  }
}

function isSigned(bank: Bank, headers: IncomingMessage['headers'], body: Buffer): boolean {
  try {
    verifySignature([bank.secret], headers, body, bank.clock())
    return true
  } catch (error) {
    if (error instanceof BankError) return false
    throw error
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
