/** Who hangs is in nobody's way. */
import { expect } from 'chai'
import { merchant, type Merchant } from './support/people.ts'
import { openReceiver, type Receiver } from './support/receiver.ts'
import {
  type Made,
  happens,
  newEndpoint,
  removeEndpoint,
  startDelivering,
} from './support/webhooks.ts'

const [EVENTS, HANGING] = [150, 24]
/** Long enough that one slot that waits for a hanging receiver would be noticed. */
const TIMEOUT_MS = 4_000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a receiver that hangs', function () {
  this.timeout(90_000)
  const [hanging, receivers]: [[Merchant, Made][], Receiver[]] = [[], []]
  /** By what happened to them while they hang. */
  const whose = new Map<string, string>()
  let delivering: Awaited<ReturnType<typeof startDelivering>>
  before(async () => {
    delivering = await startDelivering({ WEBHOOK_TIMEOUT_MS: TIMEOUT_MS, WEBHOOK_SLOTS: 16 })
  })
  after(async () => {
    for (const [shop, endpoint] of hanging) await removeEndpoint(shop, endpoint)
    await delivering.stop()
    await Promise.all(receivers.map((one) => one.close()))
  })

  /** From when it was told to when it arrived: half of them, and all but one in a hundred. */
  async function latencies(shop: Merchant, receiver: Receiver) {
    const told = new Map<string, number>()
    const before = receiver.got.length
    for (let event = 0; event < EVENTS; event += 1) {
      told.set(await happens(shop), performance.now())
      if (event % 5 === 0) for (const [other] of hanging) whose.set(await happens(other), other.id)
      await pause(10)
    }
    await receiver.until((got) => got.length >= before + EVENTS, 30_000)
    const took = receiver.got.slice(before).map(({ object, at }) => at - (told.get(object) ?? 0))
    took.sort((a, b) => a - b)
    return { p50: took[Math.floor(EVENTS / 2)]!, p99: took[Math.floor(EVENTS * 0.99)]! }
  }

  it('delays nobody else, one or many, however long it was quick before (abuse 52)', async () => {
    const [shop, receiver] = [await merchant(), await openReceiver()]
    receivers.push(receiver)
    const endpoint = await newEndpoint(shop, receiver.url)
    await latencies(shop, receiver)
    const alone = await latencies(shop, receiver)
    let hangs = false
    const silent = await openReceiver((response) => {
      if (!hangs) response.writeHead(204).end()
    })
    receivers.push(silent)
    for (let one = 0; one < HANGING; one += 1) {
      const other = await merchant()
      hanging.push([other, await newEndpoint(other, silent.url)])
      await happens(other)
    }
    await silent.until((got) => got.length === HANGING, 20_000)
    hangs = true
    const beside = await latencies(shop, receiver)
    const figures = [alone, beside].map(({ p50, p99 }) => `${p50.toFixed()}/${p99.toFixed()} ms`)
    process.stdout.write(`      p50/p99 alone ${figures[0]}, beside ${HANGING} ${figures[1]}\n`)
    const hung = silent.got.flatMap(({ object }) => whose.get(object) ?? [])
    expect(new Set(hung).size, 'every one of them hangs').to.equal(HANGING)
    // Far less than one that is waited for.
    expect(beside.p99).to.be.lessThan(alone.p99 + TIMEOUT_MS / 2)
    await removeEndpoint(shop, endpoint)
  })
})
