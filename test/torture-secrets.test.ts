/** The search of the torture for what nobody may read, in logs and tables. */
import { createHash } from 'node:crypto'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { world } from './support/world.ts'
import { LONG, openNeedles } from './torture/needles.ts'
import { judgeSecrets } from './torture/secrets.ts'

/** As long as that of a token. */
const signature = (name: number) => createHash('sha512').update(`${name}`).digest('base64url')

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-judges-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const twoWays = (text: string) => [text, Buffer.from(text).toString('hex')]

describe('the search for secrets', () => {
  /** The first of them was renewed long ago. */
  const SIGNATURES = Array.from({ length: 2000 }, (_, index) => signature(index))
  const [old = ''] = SIGNATURES
  const secrets = { texts: ['T-4711-0815', ...SIGNATURES], words: ['093705'] }
  const judged = (log: string) =>
    inFolder(async (folder) => {
      const { owner } = await world()
      await appendFile(join(folder, 'api 1.log'), log)
      return (await judgeSecrets(owner, folder, secrets)).map(({ where }) => where)
    })

  it('finds nothing in what holds none, though digits are everywhere', async () => {
    expect(await judged('all is well\n{"took":1093705,"at":0.093705}\n')).to.deep.equal([])
  })

  it('finds them in a log', async () => {
    const found = await judged(`well\nPIN 093705\nT-4711-0815\nBearer a.b.${old}"\n`)
    expect(found.map((where) => where.split(':').at(-1))).to.deep.equal(['2', '3', '4'])
  })

  it('finds them in a table, as text and as bytes', async () => {
    const { owner } = await world()
    const long = `{"token":"a.b.${old}"}`
    for (const said of ['no T-4711-0815', long].flatMap(twoWays)) {
      await owner.raw(`CREATE TABLE kept_by_mistake AS SELECT ?::text AS said`, [said])
      expect(await judged('well\n')).to.deep.equal(['table public.kept_by_mistake'])
      await owner.raw('DROP TABLE kept_by_mistake')
    }
  })

  it('finds one in the last row of many', async () => {
    const { owner } = await world()
    await owner.raw(
      `CREATE TABLE kept_by_mistake AS
        SELECT CASE n WHEN 12000 THEN ?::text ELSE 'nothing' END AS said
          FROM generate_series(1, 12000) AS n`,
      [signature(7)],
    )
    expect(await judged('well\n')).to.deep.equal(['table public.kept_by_mistake'])
    await owner.raw('DROP TABLE kept_by_mistake')
  })
})

describe('the search for many needles', () => {
  const needles = Array.from({ length: 50 }, (_, index) => signature(index).slice(0, LONG + index))

  it('finds each of them wherever it begins, and at the end', () => {
    const holds = openNeedles(needles)
    for (const needle of needles) {
      for (let before = 0; before < 2 * LONG; before += 1) {
        expect(holds(`${'x'.repeat(before)}${needle}`)).to.equal(true)
        expect(holds(`${'x'.repeat(before)}${needle} and more`)).to.equal(true)
      }
    }
  })

  it('finds none of which a letter is missing or another one', () => {
    const holds = openNeedles(needles)
    for (const needle of needles) {
      expect(holds(`x ${needle.slice(1)} x`)).to.equal(false)
      expect(holds(`x ${needle.slice(0, -1)}. x`)).to.equal(false)
    }
  })

  it('refuses a needle that it would miss', () => {
    expect(() => openNeedles(['x'.repeat(LONG - 1)])).to.throw('too short')
  })
})
