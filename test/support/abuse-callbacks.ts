/** For tests of callbacks: instructions that stay open for a while, and callbacks a test writes. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { StatementLine } from '../../adapters/adapter.ts'
import { signedHeaders } from '../../adapters/signature.ts'
import { instructionOf, times, until } from './abuse.ts'
import { type Answer, call } from './api.ts'
import { linkedAccount, type Person, person } from './people.ts'
import { BANK_SECRET, world } from './world.ts'

export interface Open {
  readonly who: Person
  readonly payment: string
  readonly id: string
  readonly reference: string
  readonly amount: string
  readonly hold: string
}

/**
 * A top-up of somebody new that the bank has. Of amounts that end in 92 it says nothing: for a
 * second, until it is asked, only a test speaks for it. Small enough to need no PIN.
 */
export async function openTopUp(digits = '92'): Promise<Open> {
  const who = await person(0n, { withPin: false })
  const body = { bank_account: await linkedAccount(who, 'south'), amount: `7${digits}` }
  const asked = await call(who, 'POST', '/v1/top_ups', { body: { ...body, currency: 'EUR' } })
  expect(asked.status, asked.text).to.equal(202)
  const payment: string = asked.body.id
  await until(async () => (await instructionOf(payment)).state !== 'created')
  const { id, reference, transfer_id: hold } = await instructionOf(payment)
  return { who, payment, id, reference, amount: body.amount, hold }
}

/** How a callback is sent, where not as it should be. */
export interface Letter {
  readonly bank?: string
  readonly secret?: string
  /** When it says that it was signed. */
  readonly at?: Date
  /** Instead of what was signed. */
  readonly sent?: string
  /** Over the signed ones; undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** Sends `text` as a bank would, and holds the answer against the published document. */
export async function deliver(text: string, letter: Letter = {}): Promise<Answer> {
  const { bank = 'south', secret = BANK_SECRET, at = new Date(), sent = text } = letter
  const signed = { ...signedHeaders(secret, randomUUID(), at, text), ...letter.headers }
  const given = Object.entries(signed).filter((pair): pair is [string, string] => Boolean(pair[1]))
  const headers = Object.fromEntries(given)
  return call(undefined, 'POST', `/v1/banks/${bank}/callbacks`, { key: null, body: sent, headers })
}

/** The same bytes under the same signature, all at once. @returns the statuses. */
export async function deliverCopies(text: string, count: number): Promise<number[]> {
  const { apiUrl } = await world()
  const signed = signedHeaders(BANK_SECRET, randomUUID(), new Date(), text)
  const headers = { ...signed, 'content-type': 'application/json' }
  const copies = times(count, async () => {
    const url = `${apiUrl}/v1/banks/south/callbacks`
    const answer = await fetch(url, { method: 'POST', headers, body: text })
    await answer.arrayBuffer()
    return answer.status
  })
  return Promise.all(copies)
}

/** What a bank writes about an instruction; undefined leaves a field out. */
export const report = (
  { reference, amount }: Pick<Open, 'reference' | 'amount'>,
  more: Readonly<Record<string, unknown>> = {},
): string =>
  JSON.stringify({
    ...{ event_id: `evt_${randomUUID()}`, reference, outcome: 'settled', amount },
    ...{ currency: 'EUR', occurred_at: new Date().toISOString(), ...more },
  })

/** How often the money of the instruction was posted or released. */
export async function resolutionsOf({ hold }: Open): Promise<string[]> {
  const { owner } = await world()
  return owner('transfers').where({ pending_id: hold }).pluck('kind')
}

/** What came of the callbacks about an instruction, sorted. */
export async function dispositionsOf({ reference }: Pick<Open, 'reference'>): Promise<string[]> {
  const { owner } = await world()
  const heard = owner('callbacks').where({ reference, source: 'callback' })
  const found: string[] = await heard.pluck('disposition')
  return found.sort()
}

/** The alerts about an instruction: why a person should look. */
export async function alertsOf({ reference }: Open): Promise<string[]> {
  const { owner } = await world()
  const { rows } = await owner.raw(
    `SELECT data->>'reason' AS reason FROM events
      WHERE type = 'instruction.manual' AND data->>'reference' = ? ORDER BY id`,
    [reference],
  )
  return rows.map((row: { reason: string }) => row.reason)
}

/** The alerts about what a bank said of an instruction, or of one that we do not know. */
export async function bankAlertsOf({ reference }: Pick<Open, 'reference'>): Promise<string[]> {
  const { owner } = await world()
  const { rows } = await owner.raw(
    `SELECT data->>'why' AS why FROM events
      WHERE type LIKE 'bank_event.%' AND data->>'reference' = ? ORDER BY id`,
    [reference],
  )
  return rows.map((row: { why: string }) => row.why)
}

/** The lines of a bank's own statement, by our reference. */
export async function bookedAt(bank: string): Promise<Map<string, bigint[]>> {
  const { api } = await world()
  const booked = new Map<string, bigint[]>()
  const lines: AsyncIterable<StatementLine> = api.banks.get(bank)?.fetchStatement() ?? noLines()
  for await (const { reference, amount } of lines) {
    booked.set(reference, [...(booked.get(reference) ?? []), amount])
  }
  return booked
}

async function* noLines() {}
