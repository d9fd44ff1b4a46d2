/**
 * The process that pays: person to person, over real connections. It is one of its own, so that
 * neither the bench nor the API waits for it.
 */
import { type Driven, drive, type Round, summary } from './load.ts'
import { openPayments, type Payer } from './payments.ts'
import { openWire, type Wire } from './wire.ts'

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

/** More than can be paid in a second. */
const PREPARED_PER_S = 5_000

const SEED = 20_260_102

async function run(plan: LoadPlan): Promise<LoadReport> {
  const payment = openPayments(plan.people, SEED)
  payment.prepare(Math.ceil((plan.warmUp_s + plan.seconds) * PREPARED_PER_S) + plan.singles)
  // Connected only now: a connection on which nobody asks anything for long is closed.
  const wires = await Promise.all(
    Array.from({ length: plan.connections }, () => openWire(plan.port)),
  )
  let paid = 0
  const errors: string[] = []

  async function pay(wire: Wire | undefined): Promise<void> {
    const answer = await wire?.exchange(payment.next().request)
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

// Nobody is waiting any more.
process.once('disconnect', () => process.exit(0))
process.once('message', (plan: LoadPlan) => {
  void run(plan).then((report) => process.send?.(report))
})
