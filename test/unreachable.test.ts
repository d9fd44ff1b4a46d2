/** A bank that cannot be connected to: a machine that does not answer at all. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { adapterFor, codeOf, instruction, startSite } from './support/sandbox-bank.ts'

/** Listens, and says where; the queue of those who wait is one long. */
const LISTENING = `
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    process.stdout.write(String(server.address().port))
  })
`

/** So many wait for somebody who is stopped, and the next is not even answered. */
const QUEUE = 8

describe('a bank that cannot be connected to', () => {
  it('was not told anything: that is certain after so long, and said so', async () => {
    const child = spawn(process.execPath, ['-e', LISTENING], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const waiting: Socket[] = []
    try {
      const [port] = (await once(child.stdout, 'data')) as [Buffer]
      child.kill('SIGSTOP')
      for (let index = 0; index < QUEUE; index += 1) {
        waiting.push(connect(Number(port), '127.0.0.1').on('error', () => {}))
      }
      const url = `http://127.0.0.1:${Number(port)}`
      const started = performance.now()
      const adapter = adapterFor(url, { connect_ms: 300, timeout_ms: 8_000 })
      expect(await codeOf(adapter.submit(instruction(1n)))).to.equal('bank_unreachable')
      expect(performance.now() - started).to.be.below(4_000)
    } finally {
      for (const socket of waiting) socket.destroy()
      child.kill('SIGKILL')
    }
  })

  it('is asked for less long than it is told', async () => {
    const site = await startSite(() => {})
    try {
      const adapter = adapterFor(site.url, { timeout_ms: 5_000, enquiryTimeout_ms: 150 })
      const started = performance.now()
      expect(await codeOf(adapter.enquire('REF'))).to.equal('bank_outcome_unknown')
      expect(performance.now() - started).to.be.below(2_500)
    } finally {
      await site.stop()
    }
  })
})
