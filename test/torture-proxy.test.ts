/** The links of `npm run torture`: each of their faults is seen by both ends as it is meant. */
import { expect } from 'chai'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startListening } from './support/listening.ts'
import { world } from './support/world.ts'
import { openCommitWatch } from './torture/commits.ts'
import { openForwarder } from './torture/forwarder.ts'
import { type LinkFault, type LinkOptions, openLink } from './torture/proxy.ts'

const closing: (() => Promise<unknown>)[] = []

/** A server that keeps what it heard, and says it back in capitals. */
async function parrot() {
  const heard: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard.push(chunk.toString())
      socket.write(chunk.toString().toUpperCase())
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closing.push(async () => server.close())
  return { heard, port: (server.address() as { port: number }).port }
}

async function linkTo(port: number, fault: LinkFault, told: Partial<LinkOptions> = {}) {
  const link = await openLink({
    ...{ targets: [{ host: '127.0.0.1', port }], seed: 1, rate: 1, hold_ms: 300 },
    ...{ faults: [fault], ...told },
  })
  closing.push(link.close)
  return link
}

function callerAt(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString())).on('error', () => {})
  return {
    socket,
    heard: () => heard,
    closed: new Promise<void>((resolve) => socket.once('close', () => resolve())),
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5)
}

describe('a link that fails', () => {
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()))
  })

  it('passes on what is said, and the end of it, when nothing goes wrong', async () => {
    const far = await parrot()
    const link = await linkTo(far.port, 'cut_before', { rate: 0 })
    const { socket, heard, closed } = callerAt(link.port)
    socket.write('hello')
    await until(() => heard() === 'HELLO')
    socket.end()
    await closed
    expect(far.heard).to.deep.equal(['hello'])
    expect(link.counts()).to.deep.equal({})
  })

  const CUTS = [
    ['cut_before', [], ''],
    ['cut_reply', ['hello!'], ''],
    ['cut_mid_reply', ['hello!'], 'HEL'],
  ] as const

  for (const [fault, there, here] of CUTS) {
    it(`${fault}: of a request and its answer only that much is heard`, async () => {
      const far = await parrot()
      const link = await linkTo(far.port, fault)
      const { socket, heard, closed } = callerAt(link.port)
      socket.write('hello!')
      await closed
      expect(far.heard).to.deep.equal(there)
      expect(heard()).to.equal(here)
      expect(link.counts()).to.deep.equal({ [fault]: 1 })
    })
  }

  for (const fault of ['delay', 'half_open'] as const) {
    it(`${fault}: what is held back arrives, though whoever said it is gone`, async () => {
      const far = await parrot()
      const link = await linkTo(far.port, fault)
      const { socket } = callerAt(link.port)
      socket.write('hello', () => socket.destroy())
      await until(() => far.heard.length === 1)
      expect(link.counts()).to.deep.equal({ [fault]: 1 })
    })
  }

  it('trickle: the answer comes byte by byte, and at once when all is to be calm', async () => {
    const far = await parrot()
    const link = await linkTo(far.port, 'trickle')
    const { socket, heard } = callerAt(link.port)
    socket.write('hello')
    await until(() => heard() !== '')
    expect(heard()).to.equal('H')
    link.calm()
    await until(() => heard() === 'HELLO')
  })

  it('does nothing more once it is calm', async () => {
    const far = await parrot()
    const link = await linkTo(far.port, 'cut_before')
    link.calm()
    const { socket, heard } = callerAt(link.port)
    socket.write('hello')
    await until(() => heard() === 'HELLO')
  })

  it('leads to the next of its targets with each connection', async () => {
    const [one, other] = [await parrot(), await parrot()]
    const targets = [one, other].map(({ port }) => ({ host: '127.0.0.1', port }))
    const link = await linkTo(one.port, 'cut_before', { rate: 0, targets })
    for (const _ of targets) callerAt(link.port).socket.write('hello')
    await until(() => one.heard.length === 1 && other.heard.length === 1)
  })
})

describe('a link to Postgres that fails', () => {
  after(async () => {
    await Promise.all(closing.splice(0).map((close) => close()))
  })

  it('sees a COMMIT wherever it is cut, and nothing else', () => {
    const framed = (kind: string, text: string) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length + 4)
      return Buffer.concat([Buffer.from(kind), length, Buffer.from(text)])
    }
    const before = [framed('', '\0\x03\0\0user\0florin\0\0'), framed('Q', 'SELECT $$COMMIT$$\0')]
    const quiet = Buffer.concat([...before, framed('P', 'commit\0SELECT 1\0\0\0'), framed('S', '')])
    for (const commit of [framed('Q', 'COMMIT;\0'), framed('P', '\0commit\0\0\0')]) {
      const all = Buffer.concat([quiet, commit])
      for (let size = 1; size <= all.length; size += 1) {
        const watch = openCommitWatch()
        const found: number[] = []
        for (let at = 0; at < all.length; at += size) {
          if (watch(all.subarray(at, at + size))) found.push(at)
        }
        expect(found, `in pieces of ${size}`).to.deep.equal([
          size * (Math.ceil(all.length / size) - 1),
        ])
      }
    }
  })

  it('lets a transaction commit and tells nobody', async () => {
    const { owner, url } = await world()
    await owner.raw('CREATE TABLE told (number int)')
    const { host, port, user, database } = new pg.Client({ connectionString: url })
    const target = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
    const link = await openLink({
      ...{ targets: [target], seed: 1, rate: 0, commitRate: 1, hold_ms: 0 },
    })
    closing.push(link.close)
    const wanted = ['cut_commit_sent', 'cut_commit_answered']
    let number = 0
    for (; wanted.some((kind) => !(kind in link.counts())); number += 1) {
      const client = new pg.Client({ host: '127.0.0.1', port: link.port, user, database })
      client.on('error', () => {})
      await client.connect()
      await client.query('BEGIN')
      await client.query(`INSERT INTO told VALUES (${number})`)
      const error = await client.query('COMMIT').catch((cause: unknown) => cause)
      expect(error, 'nobody is told').to.be.an.instanceOf(Error)
    }
    for (;;) {
      const rows = await owner('told').pluck('number')
      if (rows.length === number) break
      await sleep(20)
    }
    await owner.raw('DROP TABLE told')
  })
})

describe('a forwarder that does too much', () => {
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()))
  })

  /** Answers each request with how many there were. */
  async function counter() {
    const heard: string[] = []
    const server = await startListening(
      createHttpServer((asked: IncomingMessage, response) => {
        asked.setEncoding('utf8')
        let body = ''
        asked.on('data', (chunk: string) => (body += chunk))
        asked.on('end', () => {
          heard.push(`${asked.method} ${asked.url} ${body} ${String(asked.headers['x-key'])}`)
          response.writeHead(201, { 'x-count': `${heard.length}` }).end(`${heard.length}`)
        })
      }),
    )
    closing.push(() => server.stop())
    return { heard, port: Number(new URL(server.url).port) }
  }

  async function through(port: number, faults: readonly ('duplicate' | 'swap')[]) {
    const forwarder = await openForwarder({ targets: [port], seed: 1, rate: 1, faults })
    closing.push(forwarder.close)
    const post = async (path: string) => {
      const asked = { method: 'POST', body: 'what', headers: { 'x-key': 'k' } }
      const response = await fetch(`http://127.0.0.1:${forwarder.port}${path}`, asked)
      return { status: response.status, count: response.headers.get('x-count') }
    }
    return { ...forwarder, post }
  }

  it('duplicate: a request is heard twice and answered once', async () => {
    const far = await counter()
    const { post, counts } = await through(far.port, ['duplicate'])
    const { status } = await post('/a')
    expect(status).to.equal(201)
    await until(() => far.heard.length === 2)
    expect(far.heard).to.deep.equal(['POST /a what k', 'POST /a what k'])
    expect(counts()).to.deep.equal({ duplicate: 1 })
  })

  it('swap: a request waits until another has overtaken it', async () => {
    const far = await counter()
    const { post, counts, calm } = await through(far.port, ['swap'])
    const first = post('/first')
    await until(() => counts()['swap'] === 1)
    calm()
    expect(await post('/second')).to.deep.equal({ status: 201, count: '1' })
    expect(await first).to.deep.equal({ status: 201, count: '2' })
    expect(far.heard.map((one) => one.split(' ')[1])).to.deep.equal(['/second', '/first'])
  })
})
