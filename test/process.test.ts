/** How a process ends in which something was thrown that nobody caught. */
import { connect as open } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { until } from './support/abuse.ts'
import { newKey, tokenOf } from './support/api.ts'
import { payment, person, walletBalance } from './support/people.ts'
import { newProcess, refusal } from './support/process.ts'
import { world } from './support/world.ts'

/** What a process loads first: something of it goes wrong when it is told to. */
const failing = (code: string) => ({
  NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(
    `process.on('SIGHUP', () => { ${code} })`,
  )}"`,
})

const WAYS = {
  'unhandled rejection': `Promise.reject(new Error('of nobody'))`,
  'uncaught exception': `setImmediate(() => { throw new Error('of nobody') })`,
}

describe('a process with something thrown that nobody caught', () => {
  for (const [what, code] of Object.entries(WAYS)) {
    it(`logs the ${what}, answers what was asked, and ends with 1`, async () => {
      const { config } = await world()
      const [ada, ben] = await Promise.all([person(5_000n), person()])
      const api = await newProcess(config, { ...failing(code), LOG_LEVEL: 'info' })
      const body = JSON.stringify(payment(ben, '100'))
      const head = [
        ...['POST /v1/payments HTTP/1.1', 'Host: florin', 'Content-Type: application/json'],
        `Authorization: Bearer ${await tokenOf(ada)}`,
        ...[`Idempotency-Key: ${newKey()}`, `Content-Length: ${Buffer.byteLength(body)}`],
      ].join('\r\n')
      const socket = open(api.port, '127.0.0.1')
      socket.write(`${head}\r\n\r\n${body.slice(0, 10)}`)
      // The head is there before anything goes wrong: it was sent before this was answered.
      expect((await fetch(`${api.url}/readyz`)).status).to.equal(200)
      api.signal('SIGHUP')
      await until(async () => api.logged().some((line) => line.includes('draining')))
      expect(await fetch(`${api.url}/readyz`).catch(() => 'refused')).to.equal('refused')
      socket.write(body.slice(10))
      expect(await text(socket)).to.match(/^HTTP\/1\.1 201 /)
      expect(await api.ended).to.equal(1)
      const fatal = api
        .logged()
        .map((line) => JSON.parse(line))
        .filter(({ level }) => level === 60)
      expect(fatal.map(({ msg, err }) => [msg, err.message])).to.deep.equal([[what, 'of nobody']])
      expect(await walletBalance(ben)).to.equal(100n)
    })
  }
})

describe('a process that cannot start', () => {
  it('says why in one line, whatever it logs', async () => {
    const { config } = await world()
    const taken = await newProcess(config)
    const refused = await refusal(config, { PORT: `${taken.port}` })
    await taken.stop()
    const why = `listen EADDRINUSE: address already in use 127.0.0.1:${taken.port}`
    expect(refused).to.deep.equal({ code: 1, said: `florin_api cannot start: ${why}\n` })
  })
})
