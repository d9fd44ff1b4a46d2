/**
 * The process that pays: person to person, over real connections. It is one of its own, so that
 * neither the bench nor the API waits for it.
 */
import { newId } from '../../ledger/index.ts'
import { type Driven, drive, openDice, type Round, summary } from './load.ts'
import { openWire, type Wire } from './wire.ts'

export interface Payer {
  readonly alias: string
  readonly token: string
}

export interface LoadPlan {
  readonly port: number
  readonly people: readonly Payer[]
  readonly connections: number
  readonly warmUp_s: number
  readonly seconds: number
  /** How many are paid one after another, when everything else is quiet. */
  readonly singles: number
}

export interface LoadReport {
  readonly load: Round
  readonly single: Round
  /** Answered with 201. */
  readonly paid: number
  readonly errors: number
  /** What the first of them said. */
  readonly firstError: string | undefined
}

const SEED = 20_260_102

async function run(plan: LoadPlan): Promise<LoadReport> {
  const wires = await Promise.all(
    Array.from({ length: plan.connections }, () => openWire(plan.port)),
  )
  const payment = openPayments(plan)
  let paid = 0
  const errors: string[] = []

  async function pay(wire: Wire | undefined): Promise<void> {
    const answer = await wire?.exchange(payment())
    if (answer?.status === 201) paid += 1
    else errors.push(`${answer?.status} ${answer?.body}`)
  }

  const drivePayments = (seconds: number): Promise<Driven> =>
    drive(plan.connections, seconds, (caller) => pay(wires[caller]))

  await drivePayments(plan.warmUp_s)
  const { answered: _, ...load } = await drivePayments(plan.seconds)
  const latencies_ms: number[] = []
  for (let call = 0; call < plan.singles; call++) {
    const asked = performance.now()
    await pay(wires[0])
    latencies_ms.push(performance.now() - asked)
  }
  const single = summary(latencies_ms, latencies_ms.reduce((sum, one) => sum + one, 0) / 1000)
  for (const wire of wires) wire.close()
  const report = { paid, errors: errors.length, firstError: errors[0] }
  return { load, single, ...report }
}

/** Each is from somebody to somebody else, one cent, under a key that was never used. */
function openPayments({ port, people }: LoadPlan): () => string {
  const dice = openDice(SEED)
  const heads = people.map(
    ({ token }) =>
      `POST /v1/payments HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
      `authorization: Bearer ${token}\r\n` +
      'content-type: application/json\r\nidempotency-key: ',
  )
  const tails = people.map(({ alias }) => {
    const body = JSON.stringify({ payee: `@${alias}`, amount: '1', currency: 'EUR', note: 'lunch' })
    return `\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  })
  return () => {
    const payer = dice(people.length)
    const payee = (payer + 1 + dice(people.length - 1)) % people.length
    return `${heads[payer]}${newId()}${tails[payee]}`
  }
}

// Nobody is waiting any more.
process.once('disconnect', () => process.exit(0))
process.once('message', (plan: LoadPlan) => {
  void run(plan).then((report) => process.send?.(report))
})
