/** Speaks the sandbox bank's protocol: signed JSON over HTTP, amounts as text in minor units. */
import {
  UNSUPPORTED,
  BankError,
  type BankAdapter,
  type BankAnswer,
  type BankEvent,
  type BankReport,
  type IncomingMoney,
  type Instruction,
  type NameAnswer,
  type Recall,
  type RecallAnswer,
  type RecallRefusal,
  type StatementLine,
} from '../adapter.ts'
import { type MessageKey, verifyMessage } from '../message-signatures.ts'
import { signedHeaders, verifySignature } from '../signature.ts'
import { bankError } from '../failures.ts'
import { call, readLines, type Answer, type Endpoint } from './call.ts'
import * as parse from './parse.ts'

export interface SandboxConfig {
  readonly name: string
  readonly url: string
  /** `whsec_<base64>`: signs our requests and the bank's callbacks. */
  readonly secret: string
  /** The secret before this one: callbacks may still carry it while the bank changes over. */
  readonly previousSecret?: string | undefined
  /** Where the bank signs its callbacks by RFC 9421: by these, and by the secret no more. */
  readonly callbackKeys?: readonly MessageKey[] | undefined
}

const CAPABILITIES: BankAdapter['capabilities'] = new Set([
  ...(['debit', 'credit', 'enquiry', 'callback', 'return', 'recall'] as const),
  ...(['statement', 'name_check'] as const),
])

const CALLBACK_BYTES_MAX = 64 * 1024

export function sandboxAdapter(
  config: SandboxConfig,
  options: Pick<Endpoint, 'timeout_ms' | 'enquiryTimeout_ms' | 'fetch' | 'clock'>,
): BankAdapter {
  if (!URL.canParse(config.url)) throw new Error(`${config.name}: ${config.url} is not a URL`)
  const endpoint: Endpoint = { url: config.url, secret: config.secret, ...options }
  const secrets = [config.secret, config.previousSecret].filter((one) => one !== undefined)
  // A secret that cannot sign is found when the bank is opened, not at the first payment.
  for (const secret of secrets) signedHeaders(secret, config.name, options.clock(), '')

  return {
    ...UNSUPPORTED,
    name: config.name,
    capabilities: CAPABILITIES,

    async submit(instruction) {
      const answer = await call(endpoint, 'POST', '/instructions', written(instruction))
      return understood(() => submitAnswer(answer, instruction.reference))
    },

    async enquire(reference) {
      const path = `/instructions/${encodeURIComponent(reference)}`
      const answer = await call(endpoint, 'GET', path)
      return understood(() => enquiryAnswer(answer, reference))
    },

    async recall(recall) {
      const answer = await call(endpoint, 'POST', '/recalls', writtenRecall(recall))
      return understood(() => recallAnswer(answer, recall.reference))
    },

    readCallback(headers, body, now) {
      const message = { method: 'POST', path: callbackPath(config.name), headers, body }
      if (config.callbackKeys === undefined) verifySignature(secrets, headers, body, now)
      else verifyMessage(message, config.callbackKeys, now)
      return eventIn(body)
    },

    fetchStatement: () => statement(endpoint),

    async checkName({ number, holder }) {
      const query = new URLSearchParams({ holder })
      const path = `/accounts/${encodeURIComponent(number)}?${query.toString()}`
      const answer = await call(endpoint, 'GET', path)
      return understood(() => nameAnswer(answer))
    },
  }
}

/** Where our partner hears them: a part of what is signed. */
const callbackPath = (bank: string): string => `/v1/banks/${bank}/callbacks`

function written({ reference, direction, money, account, remittance }: Instruction): string {
  const { amount, currency } = money
  const { number, holder } = account
  return JSON.stringify({
    reference,
    direction,
    amount: amount.toString(),
    currency,
    account: { number, holder },
    remittance,
  })
}

function writtenRecall({ reference, original, reason }: Recall): string {
  const { amount, currency } = original.money
  const asked = { reference, original: original.reference, reason }
  return JSON.stringify({ ...asked, amount: amount.toString(), currency })
}

/** An answer that cannot be understood proves nothing about the money, whatever its status. */
function understood<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw bankError(error)
  }
}

/**
 * 409 says that the reference is known, not what became of it: not success, not failure, enquire.
 * 422 is the bank's refusal and 200 its settlement, if it says so in full.
 */
function submitAnswer({ status, body }: Answer, reference: string): BankAnswer {
  if (![200, 202, 422].includes(status)) throw new Error(`the bank answered ${status}`)
  const fields = parse.parseFields(body)
  expectReference(fields, reference)
  if (status === 200) {
    return { state: 'final', report: reportOf(fields, parse.oneOf(fields, 'state', ['settled'])) }
  }
  if (status === 202) return { state: parse.oneOf(fields, 'state', ['accepted']) }
  const outcome = parse.oneOf(fields, 'state', ['rejected'])
  const reason = parse.textOf(fields, 'reason', parse.LINE_OF_TEXT)
  return { state: 'final', report: { ...reportOf(fields, outcome), reason } }
}

/** `not_found` must name the reference, so that no stray 404 on the way is taken for it. */
function enquiryAnswer({ status, body }: Answer, reference: string): BankAnswer {
  if (status !== 200 && status !== 404) throw new Error(`the bank answered ${status}`)
  const fields = parse.parseFields(body)
  expectReference(fields, reference)
  if (status === 404) return { state: parse.oneOf(fields, 'error', ['not_found']) }
  const state = parse.oneOf(fields, 'state', ['accepted', 'settled', 'rejected', 'returned'])
  if (state === 'accepted') return { state }
  return { state: 'final', report: reportOf(fields, state) }
}

function nameAnswer({ status, body }: Answer): NameAnswer {
  if (status !== 200) throw new Error(`the bank answered ${status}`)
  const results = ['match', 'close_match', 'no_match', 'not_possible'] as const
  const fields = parse.parseFields(body)
  const result = parse.oneOf(fields, 'result', results)
  const isTold = result === 'close_match' && fields['name'] !== undefined
  return { result, ...(isTold && { name: parse.textOf(fields, 'name', parse.LINE_OF_TEXT) }) }
}

function recallAnswer({ status, body }: Answer, reference: string): RecallAnswer {
  if (status !== 202) throw new Error(`the bank answered ${status}`)
  const fields = parse.parseFields(body)
  expectReference(fields, reference)
  return { state: parse.oneOf(fields, 'state', ['accepted']) }
}

const OUTCOMES = ['settled', 'rejected', 'returned', 'received', 'recall_refused'] as const

function eventIn(body: Buffer): BankEvent {
  try {
    if (body.length > CALLBACK_BYTES_MAX) throw new Error('the callback is too long')
    const fields = parse.parseFields(body)
    const outcome = parse.oneOf(fields, 'outcome', OUTCOMES)
    if (outcome === 'received') return incomingOf(fields)
    return reportOf(fields, outcome)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new BankError('bad_callback', { cause, detail: `bad_callback: ${detail}` })
  }
}

function incomingOf(fields: parse.Fields): IncomingMoney {
  return {
    eventId: parse.textOf(fields, 'event_id', parse.EVENT_ID),
    outcome: 'received',
    reference: parse.textOf(fields, 'reference', parse.REFERENCE),
    money: parse.moneyOf(fields),
    occurredAt: parse.timeOf(fields, 'occurred_at'),
    remittance: parse.textOf(fields, 'remittance', parse.LINE_OF_TEXT),
    sender: parse.textOf(fields, 'sender', parse.LINE_OF_TEXT),
    ...(fields['end_to_end_id'] !== undefined && {
      endToEndId: parse.textOf(fields, 'end_to_end_id', parse.REFERENCE),
    }),
    ...(fields['sender_account'] !== undefined && {
      senderAccount: parse.textOf(fields, 'sender_account', /^[A-Z0-9-]{4,34}$/),
    }),
  }
}

function reportOf<const O extends (BankReport | RecallRefusal)['outcome']>(
  fields: parse.Fields,
  outcome: O,
) {
  const explained = outcome !== 'settled' && fields['reason'] !== undefined
  return {
    eventId: parse.textOf(fields, 'event_id', parse.EVENT_ID),
    reference: parse.textOf(fields, 'reference', parse.REFERENCE),
    outcome,
    money: parse.moneyOf(fields),
    ...(explained && { reason: parse.textOf(fields, 'reason', parse.LINE_OF_TEXT) }),
    occurredAt: parse.timeOf(fields, 'occurred_at'),
  }
}

function expectReference(fields: parse.Fields, reference: string): void {
  if (fields['reference'] !== reference) throw new Error('the answer is for another reference')
}

/** The bank numbers its lines from one without a gap, so a line that is missing is noticed. */
async function* statement(endpoint: Endpoint): AsyncGenerator<StatementLine> {
  let previous = 0
  for await (const text of readLines(endpoint, '/statement')) {
    const line = understood(() => statementLine(text, previous + 1))
    previous = line.line
    yield line
  }
}

function statementLine(text: string, number: number): StatementLine {
  const fields = parse.parseFields(Buffer.from(text))
  if (fields['line'] !== number) throw new Error(`line ${number} is missing`)
  return {
    line: number,
    reference: parse.textOf(fields, 'reference', parse.REFERENCE),
    currency: parse.currencyOf(fields),
    amount: parse.signedAmountOf(fields),
    bookedAt: parse.timeOf(fields, 'booked_at'),
  }
}
