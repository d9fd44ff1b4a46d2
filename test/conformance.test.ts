/** The kit for adapters: ours pass, and one that breaks a promise is found by the row about it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { type BankAdapter, BankError, type BankEvent } from '../adapters/adapter.ts'
import { OURS } from '../adapters/conformance/banks.ts'
import { type BankUnderTest, certify, tableOf } from '../adapters/conformance/kit.ts'
import { ROWS } from '../adapters/conformance/rows.ts'
import { certified } from './support/certified.ts'
import { ADA, SECRET, startBank, startReceiver, temporaryFolder } from './support/sandbox-bank.ts'

const failedOf = async (bank: BankUnderTest, names?: readonly string[]) => {
  const rows = names === undefined ? ROWS : ROWS.filter(({ name }) => names.includes(name))
  expect(rows).to.have.length(names?.length ?? ROWS.length)
  const verdicts = await certify(bank, rows)
  expect(tableOf(verdicts).split('\n')).to.have.length(rows.length)
  return verdicts.filter(({ verdict }) => verdict === 'failed').map(({ row }) => row)
}

type Broken = (adapter: BankAdapter) => Partial<BankAdapter>

/** Whatever goes wrong, this is what it says. */
const insteadOfFailure =
  <T>(work: () => Promise<T>, otherwise: () => T | Promise<T>) =>
  () =>
    work().catch(otherwise)

const settledReport = (reference: string) => ({
  state: 'final' as const,
  report: {
    ...{ eventId: 'made-up', reference, outcome: 'settled' as const, occurredAt: new Date() },
    money: { amount: 1n, currency: 'EUR' },
  },
})

const unreachable = (): never => {
  throw new BankError('bank_unreachable')
}

const MUTANTS: Readonly<Record<string, readonly [row: string, broken: Broken]>> = {
  'takes a reference that is known for a success': [
    'does not take a reference that it knows for a success',
    (adapter) => ({
      submit: (asked) => adapter.submit(asked).catch(() => settledReport(asked.reference)),
    }),
  ],
  'makes a new reference for the second time': [
    'moves money once for a reference that comes twice',
    (adapter) => {
      const seen = new Set<string>()
      return {
        submit(asked) {
          const again = seen.has(asked.reference)
          seen.add(asked.reference)
          return adapter.submit(again ? { ...asked, reference: `${asked.reference}X` } : asked)
        },
      }
    },
  ],
  'says unreachable when nobody answers': [
    'does not know the outcome when nobody answers',
    (adapter) => ({ submit: (asked) => adapter.submit(asked).catch(unreachable) }),
  ],
  'takes an error for a yes': [
    'does not know the outcome when the answer is an error',
    (adapter) => ({
      submit: (asked) =>
        insteadOfFailure(
          () => adapter.submit(asked),
          () => ({ state: 'accepted' as const }),
        )(),
    }),
  ],
  'takes garbage for a no': [
    'does not know the outcome when the answer makes no sense',
    (adapter) => ({
      submit: (asked) =>
        insteadOfFailure(
          () => adapter.submit(asked),
          () => ({ state: 'not_found' as const }),
        )(),
    }),
  ],
  'never finds anything': [
    'says what became of it when asked',
    () => ({ enquire: async () => ({ state: 'not_found' }) }),
  ],
  'finds everything': [
    'does not know what it was never told',
    () => ({ enquire: async () => ({ state: 'accepted' }) }),
  ],
  'believes whoever calls': [
    'refuses a callback that was altered',
    () => ({ readCallback: () => settledReport('ANY').report }),
  ],
  'does not look at the time of a callback': [
    'refuses a callback that is an hour old',
    (adapter) => ({
      readCallback: (headers, body) => adapter.readCallback(headers, body, new Date()),
    }),
  ],
  'loses a line': [
    'numbers the lines without a gap',
    (adapter) => ({
      async *fetchStatement() {
        let isFirst = true
        for await (const line of adapter.fetchStatement()) {
          if (!isFirst) yield line
          isFirst = false
        }
      },
    }),
  ],
  'has a sign wrong': [
    'books each line once, with our reference',
    (adapter) => ({
      async *fetchStatement() {
        for await (const line of adapter.fetchStatement()) {
          yield { ...line, amount: -line.amount }
        }
      },
    }),
  ],
  'knows everybody': [
    'knows whose an account is',
    () => ({ checkName: async () => ({ result: 'match' }) }),
  ],
  'tells strangers whose an account is': [
    'knows whose an account is',
    (adapter) => ({
      checkName: async (account) => ({ ...(await adapter.checkName(account)), name: 'Somebody' }),
    }),
  ],
  'promises what it cannot': [
    'refuses what it does not offer: recall',
    () => ({ recall: async () => ({ state: 'accepted' }) }),
  ],
}

describe('the kit for adapters', function () {
  this.timeout(60_000)

  for (const [name, open] of Object.entries(OURS)) {
    it(`finds nothing wrong with ${name}`, async () => {
      const { bank, close } = await open()
      try {
        expect(await failedOf(bank)).to.deep.equal([])
      } finally {
        await close()
      }
    })
  }

  it('has a row for each adapter that breaks a promise', async () => {
    const { bank, close } = await OURS.example()
    // A statement without a line shows nothing.
    const settled = 'books each line once, with our reference'
    expect(await failedOf(bank, [settled])).to.deep.equal([])
    try {
      for (const [mutant, [row, broken]] of Object.entries(MUTANTS)) {
        const adapter = { ...bank.adapter, ...broken(bank.adapter) }
        const mutated = { ...bank, adapter, patience_ms: 1_000 }
        expect(await failedOf(mutated, [row]), mutant).to.deep.equal([row])
      }
    } finally {
      await close()
    }
  })

  it('reads what the bank says to the last cent, and tells its events apart', async () => {
    const { bank, close } = await OURS.example()
    const heard = (change: (event: BankEvent) => BankEvent) => ({
      ...bank,
      heard: async () => (await bank.heard()).map(change),
    })
    try {
      const [paid, back] = ['pays out, and says so', 'tells of a return after it has settled']
      const rounded = heard(({ money, ...event }) => ({
        ...(event as BankEvent),
        money: { ...money, amount: (money.amount / 100n) * 100n },
      }))
      expect(await failedOf(rounded, [paid])).to.deep.equal([paid])
      const nameless = heard((event) => ({ ...event, eventId: event.reference }))
      expect(await failedOf(nameless, [back])).to.deep.equal([back])
    } finally {
      await close()
    }
  })

  it('has an example of less than 150 lines to begin with', async () => {
    const { readFile } = await import('node:fs/promises')
    const file = new URL('../adapters/example/adapter.ts', import.meta.url)
    expect((await readFile(file, 'utf8')).split('\n').length).to.be.lessThan(150)
  })
})

describe('the kit and somebody’s own bank', function () {
  this.timeout(60_000)

  const run = async (file: object | string) => {
    const path = join(await temporaryFolder(), 'bank.json')
    await writeFile(path, typeof file === 'string' ? file : JSON.stringify(file))
    return certified('--config', path)
  }

  it('tries the bank that a file describes', async () => {
    const probe = await startReceiver()
    const port = Number(new URL(probe.url).port)
    await probe.stop()
    const bank = await startBank({
      callbackUrl: `http://127.0.0.1:${port}/v1/banks/mine/callbacks`,
    })
    const named = { protocol: 'sandbox', name: 'mine', currencies: ['EUR'] }
    const trial = {
      ...{ currency: 'EUR', account: { number: ADA.number, holder: ADA.holder } },
      ...{ nobody: { number: 'NL99NOBODY', holder: 'Nobody' }, listen: { port } },
      names: { similar: 'Ada Lovelase', other: 'Charles Babbage' },
      amounts: { settled: '1250', rejected: '1291', returned: '1298' },
    }
    const { code, text } = await run({ bank: { ...named, url: bank.url, secret: SECRET }, trial })
    await bank.stop()
    expect(text).to.match(/says why it rejects +passed/)
    expect(text).to.match(/does not know the outcome when nobody answers +not offered +silent/)
    expect(text).to.match(/\n19 passed, 0 failed, 11 not offered$/)
    expect(code).to.equal(0)
  })

  it('says what is wrong with a file that makes no sense', async () => {
    for (const [file, said] of [
      ['{', /configuration: .*JSON/],
      ['{}', /bank: /],
      [{ bank: { protocol: 'none' }, trial: {} }, /bank.protocol: [^]*trial.currency: /],
    ] as const) {
      const error = await run(file).catch((thrown: unknown) => thrown)
      expect((error as Error).message).to.match(said)
    }
  })
})
