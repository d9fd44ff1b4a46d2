/** For tests of abuse: what a refusal looks like, and proof that it changed nothing. */
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { Knex } from 'knex'
import { uuidOf } from '../../services/ids.ts'
import { newKey, tokenOf, type Who } from './api.ts'
import { world } from './world.ts'

/**
 * Everything that may only change when somebody was allowed to change it. Left out is what a
 * worker changes on its own: how often a bank was asked.
 */
const WATCHED = {
  accounts: `concat_ws('|', id, debits_posted, credits_posted, debits_pending, credits_pending,
               debits_frozen, credits_frozen, closed_at, closed_through, metadata, floor)`,
  transfers: "concat_ws('|', id, amount)",
  payments: "concat_ws('|', id, amount, state, captured, refunded, disputed)",
  refunds: "concat_ws('|', id, amount)",
  reserves: "concat_ws('|', id, remaining)",
  disputes: "concat_ws('|', id, state)",
  payment_captures: "concat_ws('|', id, amount)",
  // What was refused used nothing up of anybody's limits.
  quotas: "concat_ws('|', id, day, day_amount, day_count, month, month_amount, month_count)",
  limit_rules: "concat_ws('|', id, valid_to)",
  closed_periods: "concat_ws('|', account_id, closed_through, balance)",
  api_keys: "concat_ws('|', id, secret_hash, revoked_at)",
  merchant_staff: "concat_ws('|', id, subject)",
  revocations: "concat_ws('|', issuer, subject, revoked_before)",
  reversals: "concat_ws('|', id, original_id)",
  instructions: "concat_ws('|', id, amount)",
  claims: "concat_ws('|', id, answer)",
  settlements: "concat_ws('|', id, net, state)",
  callbacks: "concat_ws('|', id, outcome, amount)",
  incoming_money: "concat_ws('|', id, state, owner)",
  recalls: "concat_ws('|', id, reference)",
  instruction_batches: "concat_ws('|', id, reference)",
  bank_files: "concat_ws('|', id, message_id)",
  orders: "concat_ws('|', id, amount, status)",
  order_lines: "concat_ws('|', order_id, line, amount)",
  merchants: "concat_ws('|', id, subject, state, legal_name, settlement_account_id)",
  exchanges: "concat_ws('|', id, sell_amount, buy_amount)",
  fx_quotes: "concat_ws('|', id, sell_amount, buy_amount)",
  fx_rates: "concat_ws('|', id, rate)",
  risk_rules: "concat_ws('|', id, valid_to)",
  reviews: "concat_ws('|', id, state)",
  fee_schedules: "concat_ws('|', id, terms, valid_from)",
  devices: "concat_ws('|', id, person_id, revoked_at)",
  bank_accounts: "concat_ws('|', id, owner, number_index, name_check, confirmed_at, deleted_at)",
  totp: "concat_ws('|', person_id, confirmed_at)",
  totp_enrolments: "concat_ws('|', person_id, expires_at)",
  recovery_codes: "concat_ws('|', person_id, hash, used_at)",
  step_up_rules: "concat_ws('|', id, valid_to)",
  events: "concat_ws('|', id, type)",
  proposals: "concat_ws('|', id, state)",
} as const

export type Watched = keyof typeof WATCHED

/** For each table how many rows it has, and a digest of what is in them. */
async function fingerprint(except: readonly Watched[]): Promise<Record<string, string>> {
  const { owner } = await world()
  const parts = Object.entries(WATCHED).filter(([table]) => !except.includes(table as Watched))
  const columns = parts.map(
    ([table, row]) =>
      `(SELECT concat(count(*), ' rows ', md5(coalesce(string_agg(r, ',' ORDER BY r), '')))
          FROM (SELECT ${row} AS r FROM ${table}) AS rows) AS ${table}`,
  )
  const { rows } = await owner.raw(`SELECT ${columns.join(', ')}`)
  return rows[0]
}

/**
 * Does the work and proves that nothing changed but the tables in `except`. A business refusal is
 * final for its key, so it leaves a claim and nothing else.
 */
export async function unchanged<T>(
  work: () => Promise<T>,
  { except = [] }: { readonly except?: readonly Watched[] } = {},
): Promise<T> {
  const before = await fingerprint(except)
  const result = await work()
  expect(await fingerprint(except), 'what a refusal left behind').to.deep.equal(before)
  return result
}

interface Refusal {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A problem as RFC 9457 has it, with this status and code, and no word about our inside. */
export function expectProblem(answer: Refusal, status: number, code: string): void {
  expect(answer.status, answer.text).to.equal(status)
  expect(answer.headers.get('content-type')).to.equal('application/problem+json')
  const problem = JSON.parse(answer.text)
  expect(problem.code, answer.text).to.equal(code)
  expect(problem.status).to.equal(status)
  expect(answer.text).not.to.match(/node_modules|\.ts\b|at \w+ \(|SELECT|INSERT|violates/)
}

export const statusesOf = (answers: readonly { readonly status: number }[]) =>
  answers.map(({ status }) => status).sort((a, b) => a - b)

export const times = <T>(count: number, work: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => work(index))

export interface Sent {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Bytes that no honest client would send, with headers to match; `apiUrl` for another process. */
export async function send(
  who: Who | undefined,
  method: string,
  path: string,
  options: {
    readonly bytes?: string | Uint8Array
    readonly headers?: Readonly<Record<string, string>>
    readonly apiUrl?: string
  } = {},
): Promise<Sent> {
  const { apiUrl } = await world()
  const token = who && { authorization: `Bearer ${await tokenOf(who)}` }
  const response = await fetch(`${options.apiUrl ?? apiUrl}${path}`, {
    method,
    headers: {
      ...token,
      ...(method !== 'GET' && { 'idempotency-key': newKey() }),
      ...(options.bytes !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.bytes !== undefined && { body: options.bytes as string }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** What comes back over a bare socket, all of it, for requests that no HTTP client would write. */
export async function overSocket(request: string, port?: number): Promise<string> {
  const { apiUrl } = await world()
  const socket = connect(port ?? Number(new URL(apiUrl).port), '127.0.0.1')
  socket.setTimeout(5_000, () => socket.destroy(new Error('the server neither answers nor ends')))
  socket.write(request)
  return (await buffer(socket)).toString()
}

/** Polls until `check` is true. */
export async function until(check: () => Promise<boolean>, wait_ms = 15_000): Promise<void> {
  const deadline = performance.now() + wait_ms
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error('it did not come true')
    await pause(25)
  }
}

/** How many wait for what this transaction has locked. */
export async function waitersFor(trx: Knex.Transaction): Promise<number> {
  const { rows } = await trx.raw(
    `SELECT count(*)::int AS waiting FROM pg_stat_activity
      WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))`,
  )
  return rows[0].waiting
}

/** Whether a bank has still to tell us something, even of what we have learned by asking. */
async function hasNews({ url }: { readonly url: string }): Promise<boolean> {
  const books: unknown = await (await fetch(`${url}/books`)).json()
  return (books as { untold_events: number }).untold_events > 0
}

/** Waits for the work that earlier tests left to the banks: only then is a change ours. */
export async function quiet(): Promise<void> {
  const { banks, owner } = await world()
  const open = owner('instructions').whereIn('state', ['created', 'sent', 'unknown'])
  const unheard = owner('callbacks')
    .join('instructions', 'instructions.reference', 'callbacks.reference')
    .where({ disposition: 'received' })
  await until(async () => {
    const left = await Promise.all([
      open.clone().first('id'),
      unheard.clone().first('callbacks.id'),
    ])
    const news = await Promise.all(banks.map(hasNews))
    return left.every((row) => row === undefined) && !news.includes(true)
  })
}

/** The instruction that serves a payment or a settlement, as the books have it. */
export async function instructionOf(id: string) {
  const { owner } = await world()
  return owner('instructions')
    .where({ subject_id: uuidOf(id) })
    .first()
}

/** Sets a file's stage once, however many of its chapters ask for it. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}
