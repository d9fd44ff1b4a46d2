/** What the sandbox bank answers. Nothing here waits: the books are in memory. */
import type { IncomingMessage } from 'node:http'
import { BankError } from '../adapter.ts'
import { verifySignature } from '../signature.ts'
import { accountOf, stateOf, type Books, type Instruction, type Line } from './bank.ts'
import {
  BEHAVIOURS,
  behaviourOf,
  type Behaviour,
  MAGIC_ACCOUNTS,
  magicAccountOf,
} from './behaviours.ts'
import { problem, type Reply } from './http.ts'
import { compareNames } from './names.ts'
import * as parse from './parse.ts'
import { refusalOf } from './verdicts.ts'
import { executeNow, start, startNotice, startRecall, write, type Bank } from './processing.ts'

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
  { method: 'POST', path: /^\/recalls()$/, handle: recall },
  { method: 'GET', path: /^\/books()$/, open: true, handle: showBooks },
  { method: 'POST', path: /^\/clock()$/, open: true, handle: advanceClock },
  { method: 'POST', path: /^\/incoming()$/, open: true, handle: payPartner },
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
  const dropped = bank.dropped.get(reference) ?? 0
  if (dropped < behaviour.drops) {
    bank.dropped.set(reference, dropped + 1)
    return behaviour.dropsBy === 'hang_up' ? { hangUp: true } : problem(503, 'try_later')
  }
  bank.dropped.delete(reference)
  write(bank, { kind: 'accepted', ...asked, amount: amount.toString() })
  const refusal = refusalOf(bank.books, currency)
  if (refusal !== undefined) return refuse(bank, reference, refusal)
  const instruction = held(bank.books, reference)
  if (behaviour.answer === 'final') executeNow(bank, instruction)
  start(bank, instruction)
  return ANSWERS[behaviour.answer](instruction)
}

const ANSWERS: Readonly<Record<Behaviour['answer'], (instruction: Instruction) => Reply>> = {
  accepted: ({ reference }) => ({ status: 202, json: { reference, state: 'accepted' } }),
  final: (instruction) => ({
    status: stateOf(instruction) === 'rejected' ? 422 : 200,
    json: view(instruction),
  }),
  duplicate: () => problem(409, 'duplicate_reference'),
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
  const isHidden = instruction?.events.length === 0 && behaviourOf(instruction.amount).isHidden
  if (instruction !== undefined && !isHidden) return { status: 200, json: view(instruction) }
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
  const known = account && compareNames(account.holder, holder)
  const result = known ?? magicAccountOf(key)?.nameCheck ?? 'not_possible'
  // Whoever nearly knows a name may see it: the others learn nothing.
  const name = result === 'close_match' ? account?.holder : undefined
  return { status: 200, json: { result, name } }
}

/** A copy of a recall is answered like the first. */
function recall(bank: Bank, { body }: Asked): Reply {
  const asked = recallIn(body)
  if (asked === undefined) return problem(400, 'bad_request')
  const { reference, original, amount, currency } = asked
  const known = bank.books.instructions.get(original)
  if (known === undefined) return { status: 404, json: { error: 'not_found', reference: original } }
  if (known.amount !== amount || known.currency !== currency) return problem(400, 'bad_request')
  const before = bank.books.recalls.get(reference)
  if (before !== undefined && before !== original) return problem(409, 'duplicate_reference')
  if (before === undefined) {
    write(bank, { kind: 'recalled', reference, original })
    startRecall(bank, reference, known)
  }
  return { status: 202, json: { reference, state: 'accepted' } }
}

const DAYS_MAX = 400

/** Lets time pass: what waits for it happens, and its stamps stay those of the real clock. */
function advanceClock(bank: Bank, { body }: Asked): Reply {
  const by_s = read(body, (fields) =>
    Number(parse.textOf(fields, 'advance_s', /^[1-9][0-9]{0,7}$/)),
  )
  if (by_s === undefined || by_s > DAYS_MAX * 86_400) return problem(400, 'bad_request')
  bank.advance(by_s * 1000)
  return { status: 200, json: { advanced_s: by_s.toString() } }
}

/** A customer pays the partner, who did not ask. */
function payPartner(bank: Bank, { body }: Asked): Reply {
  const asked = read(body, (fields) => ({
    reference: parse.textOf(fields, 'reference', parse.REFERENCE),
    number: parse.textOf(fields, 'number', NUMBER),
    remittance: parse.textOf(fields, 'remittance', parse.LINE_OF_TEXT),
    ...optional(fields, 'end_to_end_id', parse.REFERENCE),
    ...parse.moneyOf(fields),
  }))
  if (asked === undefined) return problem(400, 'bad_request')
  const { reference, number, currency, amount } = asked
  const account = accountOf(bank.books, number, currency)
  if (account === undefined) return problem(404, 'no_such_account')
  if (account.balance < amount) return problem(422, 'insufficient_funds')
  const id = `evt_${reference}_received`
  const isKnown = bank.books.notices.has(id) || bank.books.instructions.has(reference)
  if (isKnown) return problem(409, 'duplicate_reference')
  const at = bank.clock().toISOString()
  write(bank, { kind: 'received', ...asked, amount: amount.toString(), at })
  const notice = bank.books.notices.get(id)
  if (notice !== undefined) startNotice(bank, notice)
  return { status: 201, json: { reference, event_id: id } }
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
  const counts = {
    ...{ instructions: books.instructions.size, statement_lines: books.statement.length },
    untold_events: untoldOf(books),
  }
  const magic_accounts = MAGIC_ACCOUNTS.map(({ suffix, sentence }) => ({ suffix, sentence }))
  return {
    status: 200,
    json: { name, partner, accounts, ...counts, magic_amounts: magic, magic_accounts },
  }
}

/** What has happened, and nobody has been told of yet, though somebody is to be. */
const untoldOf = ({ instructions, notices }: Books): number =>
  [
    ...[...instructions.values()]
      .filter(({ amount }) => behaviourOf(amount).callbacks > 0)
      .flatMap(({ events }) => events),
    ...notices.values(),
  ].filter(({ delivered }) => !delivered).length

const instructionIn = (body: Buffer) =>
  read(body, (fields) => {
    const account = parse.asFields(fields['account'])
    parse.textOf(account, 'holder', parse.LINE_OF_TEXT)
    return {
      reference: parse.textOf(fields, 'reference', parse.REFERENCE),
      direction: parse.oneOf(fields, 'direction', ['debit', 'credit']),
      ...parse.moneyOf(fields),
      number: parse.textOf(account, 'number', NUMBER),
      ...optional(fields, 'remittance', parse.LINE_OF_TEXT),
    }
  })

/** Nobody need say it; whoever does must say it well. */
const optional = <const N extends string>(fields: parse.Fields, name: N, pattern: RegExp) =>
  (fields[name] === undefined ? {} : { [name]: parse.textOf(fields, name, pattern) }) as Partial<
    Record<N, string>
  >

const recallIn = (body: Buffer) =>
  read(body, (fields) => ({
    reference: parse.textOf(fields, 'reference', parse.REFERENCE),
    original: parse.textOf(fields, 'original', parse.REFERENCE),
    reason: parse.textOf(fields, 'reason', /^[A-Z0-9]{4}$/),
    ...parse.moneyOf(fields),
  }))

/** What was asked, or undefined where it cannot be meant. */
function read<T>(body: Buffer, as: (fields: parse.Fields) => T): T | undefined {
  try {
    return as(parse.parseFields(body))
  } catch {
    return undefined
  }
}

function view(instruction: Instruction): object {
  const { reference, amount, currency, remittance, events } = instruction
  const event = events.at(-1)
  const state = stateOf(instruction)
  const known = { reference, state, amount: amount.toString(), currency, remittance }
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
