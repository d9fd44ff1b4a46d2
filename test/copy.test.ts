/** Rows by COPY: what arrives, and that nothing else in flight is harmed when Postgres refuses. */
import { expect } from 'chai'
import pg from 'pg'
import { putBigint, putOptional, putText, putTime, putUuid } from '../ledger/wire/binary.ts'
import { copyOf } from '../ledger/wire/copy.ts'
import { newId } from '../ledger/index.ts'
import { world } from './support/world.ts'

interface Row {
  readonly id: string
  readonly word: string
  readonly amount: bigint
  readonly at: Date | null
}

const COLUMNS = [
  { name: 'id', put: ({ id }: Row) => putUuid(id) },
  { name: 'word', put: ({ word }: Row) => putText(word) },
  { name: 'amount', put: ({ amount }: Row) => putBigint(amount) },
  { name: 'at', put: ({ at }: Row) => putOptional(putTime, at) },
]

const TABLE = `
  CREATE TEMPORARY TABLE copied (
    id uuid CONSTRAINT id_taken PRIMARY KEY, word text, amount bigint, at timestamptz
  )`

const row = (word = '', amount = 0n, at: Date | null = null): Row => ({
  ...{ id: newId(), word, amount, at },
})

const copyRows = (rows: readonly Row[]) => copyOf('copied', COLUMNS, rows)

for (const pipeline of [true, false]) {
  describe(`rows by COPY, ${pipeline ? 'other statements in flight' : 'one at a time'}`, () => {
    let client: pg.Client
    before(async () => {
      const { url } = await world()
      client = new pg.Client({ connectionString: url, pipeline })
      await client.connect()
      await client.query(TABLE)
    })
    after(() => client.end())

    const copied = async () => {
      const { rows } = await client.query('SELECT id, word, amount, at FROM copied ORDER BY id')
      return rows.map((row) => ({ ...row, amount: BigInt(row.amount) }))
    }

    it('arrive as they were, whatever they hold', async () => {
      const rows = [
        row(),
        row('tab\t, line\n, \\N, "quotes", {braces}', -(2n ** 63n), new Date(0)),
        row('zwölf Straßen, 十二, 👛', 2n ** 63n - 1n, new Date('9999-12-31T23:59:59.999Z')),
        ...Array.from({ length: 3000 }, (_, index) => row('x'.repeat(index % 100), BigInt(index))),
      ]
      await copyRows(rows)(client)
      expect(await copied()).to.deep.equal(rows)
    })

    it('are none, and that is no error', async () => {
      await copyRows([])(client)
    })

    it('break a constraint, which is named, and the next statement is answered', async () => {
      const twice = row()
      const answers = await Promise.allSettled([
        client.query('SELECT 1 AS before'),
        copyRows([twice, ...Array.from({ length: 3000 }, () => row()), twice])(client),
        client.query('SELECT 2 AS after'),
      ])
      expect(answers[0]).to.have.nested.property('value.rows[0].before', 1)
      expect(answers[1]).to.have.nested.property('reason.constraint', 'id_taken')
      expect(answers[2]).to.have.nested.property('value.rows[0].after', 2)
    })

    it('are ignored when the transaction has failed, and so is nothing after it', async () => {
      const answers = await Promise.allSettled([
        client.query('BEGIN'),
        client.query('SELECT 1 / 0'),
        copyRows(Array.from({ length: 3000 }, () => row()))(client),
        client.query('ROLLBACK'),
        client.query('SELECT 2 AS after'),
      ])
      expect(answers[1]).to.have.nested.property('reason.code', '22012')
      expect(answers[2]).to.have.nested.property('reason.code', '25P02')
      expect(answers[4]).to.have.nested.property('value.rows[0].after', 2)
    })
  })
}

describe('a row that cannot be copied', () => {
  for (const id of [
    '',
    'x'.repeat(36),
    newId().slice(1),
    `${newId()}0`,
    newId().replace('7', 'ŷ'),
  ]) {
    it(`is refused before anything is sent: id ${JSON.stringify(id)}`, () => {
      expect(() => copyRows([{ ...row(), id }])).to.throw('not a uuid')
    })
  }
})
