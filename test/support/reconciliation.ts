/** A bank of one's own, with settled instructions, and statements that tell of them or do not. */
import { randomBytes } from 'node:crypto'
import { createTransfers, newId, newUnitId, type UnitId } from '../../ledger/index.ts'
import { instructionRow } from '../../services/banking/instructions.ts'
import type { State } from '../../services/banking/machine.ts'
import { bankAccountsOf } from '../../services/books/chart.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import type { Source } from '../../services/reconciliation/runs.ts'
import { receiveStatement } from '../../services/reconciliation/uploads.ts'
import { advanceReconciliation } from '../../services/reconciliation/work.ts'
import { call } from './api.ts'
import { madeUp } from './event-checks.ts'
import { linkedAccount, OPERATOR, person } from './people.ts'
import { onceAWorld, world } from './world.ts'

export interface Settled {
  readonly instruction: string
  readonly reference: string
  readonly transfer: UnitId
  /** Signed, as our money at the bank sees it. */
  readonly amount: bigint
  readonly at: Date
}

export interface CsvLine {
  readonly date: string
  readonly reference: string
  readonly amount: bigint
  readonly currency: string
  readonly description: string
  readonly bankReference?: string
}

const DAY_MS = 86_400_000
/** So that nothing is in the future. */
const LONG_AGO_MS = 30 * DAY_MS

export type OwnBank = Awaited<ReturnType<typeof bankOfItsOwn>>

/** Instructions need a bank account; all may have the same. */
const anyAccount = onceAWorld(() => person().then((who) => linkedAccount(who)))

export async function bankOfItsOwn() {
  const { worker } = await world()
  const name = `b${randomBytes(6).toString('hex')}`
  const bankAccount = uuidOf(await anyAccount())
  const accounts = await bankAccountsOf(worker, name, 'EUR')
  const at = new Date(Date.now() - LONG_AGO_MS)

  const instructed = instructedAt(name, accounts.suspense, bankAccount, at)

  /** Moves our money at the bank. */
  async function moved(reference: string, amount: bigint, when = at): Promise<UnitId> {
    const unit = newUnitId()
    const { bank, suspense } = accounts
    const [debit, credit] = amount > 0n ? [bank, suspense] : [suspense, bank]
    const money = { amount: amount < 0n ? -amount : amount, currency: 'EUR' }
    const why = { kind: 'single', code: 'test', reference, effectiveAt: when } as const
    await worker.db.transaction((trx) =>
      createTransfers(trx, {
        ...{ id: unit, at: new Date(), transfers: [{ ...why, debit, credit, money }] },
      }),
    )
    return unit
  }

  const settled = async (...amounts: readonly bigint[]): Promise<Settled[]> => {
    const all: Settled[] = []
    for (const amount of amounts) {
      const made = await instructed(amount, 'settled')
      all.push({ ...made, transfer: await moved(made.instruction, amount), at })
    }
    return all
  }

  return {
    ...{ name, at, instructed, moved, settled },
    received: receivedAt(name, at),
    line: lineAt(at),
  }
}

/** Written down, and in `state`; no money moves. */
const instructedAt =
  (bank: string, owner: string, bankAccount: string, at: Date) =>
  async (amount: bigint, state: State) => {
    const row = instructionRow(
      {
        ...{ bank, direction: amount > 0n ? 'debit' : 'credit', rail: 'internal' },
        ...{ purpose: 'top_up', subject: newId(), bankAccount, owner },
        ...{
          transfer: newId(),
          money: { amount: amount < 0n ? -amount : amount, currency: 'EUR' },
        },
      } as const,
      at,
    )
    const { owner: db } = await world()
    madeUp.add(row.id).add(publicId('ins', row.id))
    await db('instructions').insert({ ...row, state })
    return { instruction: row.id, reference: row.reference, amount }
  }

/** Money that came unasked, under the bank's own reference. */
const receivedAt = (bank: string, at: Date) => async (amount: bigint) => {
  const { owner } = await world()
  const [id, reference] = [newId(), `B${randomBytes(8).toString('hex').toUpperCase()}`]
  madeUp.add(id)
  await owner('callbacks').insert({
    ...{ id, bank, event_id: reference, reference, outcome: 'settled', amount: amount.toString() },
    ...{ currency: 'EUR', occurred_at: at, received_at: at, disposition: 'applied' },
  })
  return { id, reference }
}

/** What the bank would say of it. */
const lineAt =
  (at: Date) =>
  (
    of: Pick<Settled, 'reference' | 'amount'> | undefined,
    { amount = of?.amount ?? 0n, daysLater = 0 }: { amount?: bigint; daysLater?: number } = {},
  ): CsvLine => {
    const date = new Date(at.getTime() + daysLater * DAY_MS).toISOString().slice(0, 10)
    return { date, reference: of?.reference ?? '', amount, currency: 'EUR', description: '' }
  }

export const csvOf = (lines: readonly CsvLine[]): string =>
  [
    'date,reference,amount,currency,description,bank_reference\n',
    ...lines.map(
      ({ date, reference, amount, currency, description, bankReference = '' }) =>
        `${date},"${reference}",${amount},${currency},${description},${bankReference}\n`,
    ),
  ].join('')

/** Uploads it as the API would, reconciles as a worker would, and reads what came of it. */
export async function reconcileFile(
  { name }: Pick<OwnBank, 'name'>,
  source: Exclude<Source, 'bank'>,
  file: string | readonly CsvLine[],
) {
  const { api, worker } = await world()
  const text = typeof file === 'string' ? file : csvOf(file)
  async function* stream() {
    yield Buffer.from(text)
  }
  const asked = { bank: name, source, requestedBy: 'test' }
  const { run } = await receiveStatement(api, asked, stream())
  await advanceReconciliation(worker, run.id)
  // The worker may have been at another one, and has come to this one since.
  return over(publicId('rcn', run.id))
}

/** Asks for the bank's own statement to be reconciled, and waits until it is. */
export async function reconciled(bank: string): Promise<Shown> {
  const path = `/v1/banks/${bank}/reconciliations`
  const { body: asked } = await call(OPERATOR, 'POST', path, { body: {} })
  return over(asked.id)
}

async function over(id: string): Promise<Shown> {
  for (let tries = 0; tries < 500; tries += 1) {
    const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}`)
    if (body.state === 'completed' || body.state === 'failed') return body
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${id} was not over within ten seconds`)
}

/** What became of each, in order. */
export const kindsOf = async (id: string) => {
  const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}/items?limit=100`)
  return body.data.map((one: { kind: string; reference: string; state: string }) =>
    `${one.reference} ${one.kind} ${one.state}`.trim(),
  )
}

export const itemOf = async (id: string, reference: string) => {
  const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}/items?limit=100`)
  return body.data.find((one: { reference: string }) => one.reference === reference)
}

/** An item that somebody has to correct. */
export async function unknownLine() {
  const bank = await bankOfItsOwn()
  const [one] = await bank.settled(10n)
  const fee = { ...bank.line(one), reference: 'FEE', amount: -5n }
  return itemOf((await reconcileFile(bank, 'csv', [fee])).id, 'FEE')
}

export interface Shown {
  readonly id: string
  readonly state: string
  readonly failure: string | null
  readonly lines: number
  readonly fresh_lines: number
  readonly counts: Readonly<Record<string, number>>
  readonly balances: readonly {
    readonly statement: { readonly amount: string }
    readonly books: { readonly amount: string }
    readonly unexplained: { readonly amount: string }
    readonly open_items: number
    readonly agrees: boolean
  }[]
}
