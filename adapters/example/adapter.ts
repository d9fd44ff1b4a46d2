/**
 * An example to begin with: a bank that takes HTML forms, answers plain text with amounts in
 * decimals, and signs callbacks with Ed25519. `npx florin bank certify example` tries it.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type Money, scaleOf } from '../../ledger/money.ts'
import {
  type BankAdapter,
  type BankAnswer,
  BankError,
  type BankReport,
  type Direction,
  type NameCheck,
  type StatementLine,
  UNSUPPORTED,
} from '../adapter.ts'
import { bankError } from '../failures.ts'
import type { HttpOptions } from '../fetch.ts'

export interface ExampleConfig {
  readonly name: string
  readonly url: string
  readonly token: string
  /** Of the key that signs callbacks: SPKI in base64. */
  readonly publicKey: string
}

export function exampleAdapter(
  { name, url, token, publicKey }: ExampleConfig,
  { timeout_ms, fetch }: HttpOptions,
): BankAdapter {
  const spki = Buffer.from(publicKey, 'base64')
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const headers = { authorization: `Bearer ${token}` }
  const ask = async (path: string, form?: Readonly<Record<string, string>>) => {
    const signal = AbortSignal.timeout(timeout_ms)
    const body = form && { method: 'POST', body: new URLSearchParams(form) }
    const response = await fetch(url + path, { headers, signal, redirect: 'error', ...body })
    return { status: response.status, text: await response.text() }
  }
  return {
    ...UNSUPPORTED,
    name,
    capabilities: new Set([
      ...(['debit', 'credit', 'enquiry', 'callback', 'return', 'statement', 'name_check'] as const),
    ]),
    submit: ({ reference, direction, money, account, remittance: text }) =>
      understood(async () => {
        const to = { ...account, ...written(money), ...(text !== undefined && { text }) }
        const order = { ref: reference, type: TYPES[direction], ...to }
        return answerIn(await ask('/transfers', order), reference)
      }),
    enquire: (reference) =>
      understood(async () => answerIn(await ask(`/transfers?ref=${reference}`), reference)),
    readCallback: (sent, body, now) => callback(key, sent['x-signature'], body, now),
    async *fetchStatement() {
      yield* linesIn((await understood(() => ask('/statement'))).text)
    },
    checkName: ({ number, holder }) =>
      understood(async () => {
        const query = new URLSearchParams({ number, holder })
        const { text } = await ask(`/names?${query.toString()}`)
        return { result: NAMES[text] ?? refuse('what name is that') }
      }),
  }
}

const TYPES: Readonly<Record<Direction, string>> = { debit: 'PULL', credit: 'PUSH' }
const NAMES: Readonly<Record<string, NameCheck>> = {
  ...{ SAME: 'match', SIMILAR: 'close_match', OTHER: 'no_match', UNKNOWN: 'not_possible' },
}
const OUTCOMES: Readonly<Record<string, BankReport['outcome']>> = {
  ...{ DONE: 'settled', REFUSED: 'rejected', BACK: 'returned' },
}

/** Whatever we do not understand proves nothing about the money. */
const understood = <T>(work: () => Promise<T>): Promise<T> =>
  work().catch((error: unknown) => {
    throw bankError(error)
  })

const refuse = (why: string): never => {
  throw new Error(why)
}

/** `TAKEN R1`, `UNKNOWN R1`, or a report. */
function answerIn(
  { status, text }: { status: number; text: string },
  reference: string,
): BankAnswer {
  if (status === 200 && text === `TAKEN ${reference}`) return { state: 'accepted' }
  if (status === 404 && text === `UNKNOWN ${reference}`) return { state: 'not_found' }
  if (status !== 200) return refuse(`the bank answered ${status}`)
  const report = reportIn(text)
  return report.reference === reference ? { state: 'final', report } : refuse('of another')
}

/** `DONE R1 12.50 EUR E-77 2026-01-31T10:00:00Z`, and a reason where it was not done. */
function reportIn(text: string): BankReport {
  const [word = '', reference = '', amount = '', currency = '', eventId = '', at = '', reason] =
    text.split(' ')
  const [outcome, occurredAt] = [OUTCOMES[word], new Date(at)]
  if (outcome === undefined || !/^[A-Z0-9]{1,35}$/.test(reference)) return refuse('not a report')
  if (!/^[A-Z0-9-]{1,64}$/i.test(eventId) || Number.isNaN(occurredAt.getTime()))
    return refuse('not a report')
  const known = { eventId, reference, outcome, money: read(amount, currency), occurredAt }
  return reason === undefined || outcome === 'settled' ? known : { ...known, reason }
}

/** The signature covers the time, and the time must be near: a copy cannot be kept for later. */
function callback(key: KeyObject, signature: unknown, body: Buffer, now: Date): BankReport {
  const signed = typeof signature === 'string' && Buffer.from(signature, 'base64')
  if (!signed || !verify(null, body, key, signed)) throw new BankError('bad_signature')
  const [sentAt = '', ...report] = body.toString().split('\n')
  if (Math.abs(Date.parse(sentAt) - now.getTime()) > 300_000)
    throw new BankError('callback_expired')
  try {
    return reportIn(report.join('\n'))
  } catch (cause) {
    throw new BankError('bad_callback', { cause })
  }
}

/** Minor units as the bank writes them: 1250 of EUR is 12.50, of JPY 1250. */
function written({ amount, currency }: Money) {
  const scale = scaleOf(currency)
  const digits = amount.toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return { amount: scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`, currency }
}

function read(decimal: string, currency: string): Money {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d+))?$/.exec(decimal) ?? []
  if (sign === undefined || fraction.length !== scaleOf(currency)) return refuse('not an amount')
  const amount = BigInt(whole + fraction)
  return { amount: sign === '' ? amount : -amount, currency }
}

/** One line each: `1 R1 -12.50 EUR 2026-01-31T10:00:00Z`; the last one says how many there are. */
function* linesIn(text: string): Generator<StatementLine> {
  const lines = text.trimEnd().split('\n')
  if (lines.pop() !== `END ${lines.length}`) throw new BankError('bank_outcome_unknown')
  for (const [index, line] of lines.entries()) {
    const [, reference = '', amount = '', currency = '', at = ''] = line.split(' ')
    const money = read(amount, currency)
    yield { line: index + 1, reference, ...money, bookedAt: new Date(at) }
  }
}
