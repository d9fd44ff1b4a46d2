/** What the torture opens is closed again, whatever does not start; and tokens are remembered. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openNothing, openWith, together } from './torture/opened.ts'
import { openTokens } from './torture/tokens.ts'
import { openTown } from './torture/town.ts'

const { keep, close } = openNothing()
afterEach(close)

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  keep(async () => void server.close())
  return (server.address() as { port: number }).port
}

describe('a town of which a process does not start', () => {
  const { TMPDIR } = process.env
  afterEach(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
  })

  it('leaves nothing behind', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'florin-t-'))
    keep(() => rm(folder, { recursive: true }))
    process.env['TMPDIR'] = folder
    const options = { seed: 7, faults: 0, isRough: false, settings: { PIN_PEPPER: 'short' } }
    const said = await openTown(options).catch((error: Error) => error.message)
    expect(said).to.contain('does not start').and.to.contain('PIN_PEPPER')
    expect(await readdir(folder)).to.deep.equal([])
  })
})

describe('what is opened', () => {
  const said: string[] = []
  const closing = (name: string) => async () => void said.push(name)
  beforeEach(() => void said.splice(0))

  it('is closed the other way round, when what comes next is not opened', async () => {
    const failing = openWith(async ({ keep }) => {
      keep(closing('folder'))
      keep(closing('server'))
      throw new Error('no')
    })
    expect(await failing.catch((error: Error) => error.message)).to.equal('no')
    expect(said).to.deep.equal(['server', 'folder'])
  })

  it('is closed though something else cannot be', async () => {
    const { keep, close } = openNothing()
    keep(closing('folder'))
    keep(() => Promise.reject(new Error('stuck')))
    expect(await close().catch((error: Error) => error.message)).to.equal('stuck')
    expect(said).to.deep.equal(['folder'])
  })

  it('is closed where one of several is not opened', async () => {
    const one = async (name: string) => name
    const opening = [one('a'), Promise.reject<string>(new Error('no')), one('b')]
    const stop = async (name: string) => void said.push(name)
    const failed = await together(opening, stop).catch((error: Error) => error.message)
    expect([failed, ...said]).to.deep.equal(['no', 'a', 'b'])
    expect(await together([one('a'), one('b')], stop)).to.deep.equal(['a', 'b'])
  })
})

describe('the tokens of a torture', () => {
  it('are remembered when they are no longer used', async () => {
    let [issued, now_ms] = [0, 0]
    const server = createHttpServer((_, response) => {
      const access_token = `header.payload.signature-${(issued += 1)}`
      response.end(JSON.stringify({ access_token, expires_in: 300 }))
    })
    const { tokenOf, signatures } = openTokens(
      `http://127.0.0.1:${await listening(server)}`,
      () => now_ms,
    )
    expect(await tokenOf('ada', 'person')).to.equal(await tokenOf('ada', 'person'))
    now_ms = 241_000
    await tokenOf('ada', 'person')
    await tokenOf('shop', 'merchant')
    expect(signatures()).to.deep.equal(['signature-1', 'signature-2', 'signature-3'])
  })
})
