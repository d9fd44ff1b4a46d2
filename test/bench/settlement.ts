/** Merchants settled while customers go on paying: how long it takes, and what it costs them. */
import {
  type Group,
  newId,
  newUnitId,
  type NewTransfer,
  openGroup,
  type Unit,
} from '../../ledger/index.ts'
import { examine, type Measured } from './books.ts'
import { type Helper, startHelper } from './helper.ts'
import type { Bench } from './plan.ts'
import { inTurns, paceOf, ratioOf } from './rounds.ts'
import { type Database, run } from './server.ts'
import type { Going, Opening } from './settler.ts'
import { fillTakings, type Takings, transfersOfTakings } from './takings.ts'

export interface SettlementFigures {
  readonly settlement: {
    readonly merchants: number
    readonly payments: number
    /** Payments of customers, with the run beside them and without. */
    readonly beside_per_s: number
    readonly alone_per_s: number
    readonly ratio: number
    /** Of the run beside the payments, at the pace that workers have. */
    readonly merchants_per_s: number
    /** The rest of the run, with nobody beside it. */
    readonly run_alone_merchants_per_s: number
  }
}

const CALLERS = 64
/** As SETTLEMENT_PACE_PERCENT has it. */
const PACE_PERCENT = 25
const DAY_MS = 86_400_000
const MONEY = { amount: 10n, currency: 'EUR' }
const FEE = { amount: 1n, currency: 'EUR' }

export async function measureSettlement(bench: Bench): Promise<Measured<SettlementFigures>> {
  const { server, plan, say } = bench
  const { takings, ...rounds } = plan.settlement
  say(`settlement: ${takings.merchants} merchants, ${takings.paymentsEach} payments each`)
  const database = await server.databaseOf('florin_bench_settlement')
  await fillTakings(database.url, takings, say)
  await server.checkpoint()
  const payments = await openPayments(database)
  const settler = startHelper(new URL('./settler.ts', import.meta.url))
  await settler.ask<unknown>({ environment: environmentOf(database), ahead_ms: 2 * DAY_MS })
  const run = openRun(settler)
  await payments.run(rounds.warmUp_s)
  const alone = { name: 'alone', run: (seconds: number) => payments.run(seconds) }
  const beside = {
    name: 'beside the run',
    async run(seconds: number) {
      const [round] = await Promise.all([payments.run(seconds), run(seconds * 1000, PACE_PERCENT)])
      return round
    },
  }
  const [without, during] = await inTurns('settlement', [alone, beside], rounds, say)
  const together = run.rate()
  await run(10 * 60_000, 100)
  await settler.dismiss()
  await payments.close()
  const figures = {
    ...{ merchants: takings.merchants, payments: takings.merchants * takings.paymentsEach },
    ...{ alone_per_s: paceOf(without), beside_per_s: paceOf(during) },
    ratio: ratioOf(during, without),
    ...{ merchants_per_s: together, run_alone_merchants_per_s: run.rate() },
  }
  const examined = await concluded(database, takings, payments.made(), run.turns(), say)
  return { figures: { settlement: figures }, ...examined }
}

/** Every merchant has its one batch, and the books hold what was asked for. */
async function concluded(
  database: Database,
  takings: Takings,
  paid: number,
  turns: number,
  say: Bench['say'],
) {
  const [row] = await run(database.url, 'SELECT count(*) AS batches FROM settlements')
  const transfers = transfersOfTakings(takings) + 2 * paid + takings.merchants
  const { faults, deadlocks } = await examine(database, transfers, say)
  const isDone = Number(row?.['batches']) === takings.merchants && turns === takings.merchants
  const told = `settlement: ${row?.['batches']} batches in ${turns} turns`
  return { faults: isDone ? faults : [...faults, told], deadlocks }
}

/** The helper's run, with how many merchants a second it did when it was last asked to. */
function openRun(settler: Helper) {
  let [turns, span_ms, counted] = [0, 0, 0]
  const go = async (time_ms: number, pace_percent: number) => {
    const started = performance.now()
    const question: Going = { time_ms, pace_percent }
    const done = await settler.ask<{ turns: number }>({ ...question })
    if (done.turns === 0) return
    turns += done.turns
    counted += done.turns
    span_ms += performance.now() - started
  }
  const rate = () => {
    const per_s = (counted * 1000) / span_ms
    ;[counted, span_ms] = [0, 0]
    return per_s
  }
  return Object.assign(go, { rate, turns: () => turns })
}

/** Any customer pays any merchant, some of whom are being settled. */
async function openPayments({ url, urlOf }: Database) {
  const idsOf = async (type: string) =>
    (await run(url, `SELECT id FROM accounts WHERE type = '${type}' ORDER BY id`)).map(
      ({ id = '' }) => id,
    )
  const [wallets, accounts, [fees = '']] = [
    await idsOf('wallet'),
    await idsOf('merchant'),
    await idsOf('fees'),
  ]
  const group: Group = openGroup({
    ...{ url: urlOf('florin_api'), role: 'florin_api', applicationName: 'florin bench' },
    ...{ companions: {}, refusals: [] },
  })
  let made = 0
  const among = (ids: readonly string[]) => ids[Math.floor(Math.random() * ids.length)] ?? ''
  const pay = async () => {
    const [debit, credit, reference] = [among(wallets), among(accounts), newId()]
    const { answer } = await group.submit(unitOf(reference, debit, credit, fees))
    if (answer !== 'accepted') throw new Error(answer)
    made += 1
  }
  return {
    made: () => made,
    close: () => group.close(),
    async run(seconds: number) {
      const [before, started] = [made, performance.now()]
      const ends = started + seconds * 1000
      const caller = async () => {
        while (performance.now() < ends) await pay()
      }
      await Promise.all(Array.from({ length: CALLERS }, caller))
      return { per_s: ((made - before) * 1000) / (performance.now() - started) }
    },
  }
}

function unitOf(reference: string, debit: string, credit: string, fees: string): Unit {
  const transfers: NewTransfer[] = [
    { kind: 'single', code: 'payment', reference, debit, credit, money: MONEY },
    { kind: 'single', code: 'fee', reference, debit: credit, credit: fees, money: FEE },
  ]
  return {
    ...{ id: newUnitId(), at: new Date(), transfers },
    conclude: (verdict) => ({ answer: verdict.accepted ? 'accepted' : verdict.code }),
  }
}

/** What a worker is told; nobody listens where its bank should be, and none is called. */
function environmentOf(database: Database): Opening['environment'] {
  const secret = Buffer.alloc(32, 1).toString('base64')
  const bank = { name: 'north', protocol: 'sandbox', url: 'http://127.0.0.1:9' }
  return {
    ...{ NODE_ENV: 'development', DATABASE_URL: database.urlOf('florin_worker') },
    ...{ PIN_PEPPER: secret, BLIND_INDEX_KEY: secret },
    DATA_KEYS: JSON.stringify([{ kid: 'bench', key: secret }]),
    TOKEN_ISSUERS: JSON.stringify([
      { issuer: 'https://bench.example', audience: 'florin', jwks_url: 'http://127.0.0.1:9/keys' },
    ]),
    BANKS: JSON.stringify([{ ...bank, secret: `whsec_${secret}`, currencies: ['EUR'] }]),
  }
}
