/** Customers of the banks who pay us unasked: to somebody whom they name, or to nobody. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { customerOf } from './customers.ts'
import { BANKS, type BankName, type Town } from './town.ts'

/** Nobody's who lives in the town. */
export const SENDER = 'T-0300'
const [EVERY_MS, PATIENCE_MS] = [2_000, 5_000]

interface Paying {
  readonly people: number
  readonly random: () => number
  readonly isOver: () => boolean
}

/** The bank has it, whatever becomes of its word: its log is what is judged. */
export async function payUnasked(
  { bankUrl }: Pick<Town, 'bankUrl'>,
  { people, random, isOver }: Paying,
): Promise<void> {
  for (let number = 1; !isOver(); number += 1) {
    await sleep(EVERY_MS * (0.5 + random()))
    const bank = BANKS[number % BANKS.length] as BankName
    const payee = customerOf(Math.floor(random() * people))
    const remittance = random() < 0.5 ? `For @${payee}` : `Thank you, ${number}`
    const money = { amount: `${1 + Math.floor(random() * 5_000)}`, currency: 'EUR' }
    const told = { reference: `UNASKED${number}`, number: SENDER, remittance, ...money }
    const headers = { 'content-type': 'application/json' }
    const asked = { method: 'POST', headers, body: JSON.stringify(told) }
    await insist(`${bankUrl(bank)}/incoming`, asked)
  }
}

/** 409: it has it already, and the answer to that was lost. */
const KNOWN = new Set([201, 409])

/** Banks fail their own customers as they fail us. */
async function insist(url: string, asked: RequestInit): Promise<void> {
  for (;;) {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const answer = await fetch(url, { ...asked, signal }).catch(() => undefined)
    await answer?.arrayBuffer().catch(() => {})
    if (answer !== undefined && KNOWN.has(answer.status)) return
    // Garbage comes with 200.
    if (answer !== undefined && answer.status >= 400 && answer.status < 500) {
      throw new Error(`${url} answers ${answer.status}`)
    }
    await sleep(EVERY_MS)
  }
}

const WAIT_MS = 120_000

/** Banks tell of it until they are heard, less and less often. */
export async function untilTold({ journalOf }: Pick<Town, 'journalOf'>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  const count = (kind: string) =>
    BANKS.reduce(
      (sum, bank) => sum + readFileSync(journalOf(bank), 'utf8').split(`"kind":"${kind}"`).length,
      0,
    )
  while (count('told') < count('received')) {
    if (performance.now() > deadline) throw new Error('a bank was not heard')
    await sleep(500)
  }
}
