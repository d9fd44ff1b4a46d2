/** The kit for adapters: ours pass, and one that breaks a promise is found by the row about it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { type BankAdapter, BankError, type BankEvent } from '../adapters/adapter.ts'
import { OURS } from '../adapters/conformance/banks.ts'
import { type BankUnderTest, certify, tableOf } from '../adapters/conformance/kit.ts'
import { ROWS } from '../adapters/conformance/rows.ts'
import { certifyBank } from '../services/cli/certify.ts'
import { freePort } from './support/ports.ts'
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

/** What the command says, and its exit code. */
async function certified(...words: string[]) {
  const said: string[] = []
  const quiet = { complain: () => {}, progress: () => {}, done: () => {} }
  const code = await certifyBank.run(words, { ...quiet, say: (line) => void said.push(line) })
  return { code, text: said.join('\n') }
}

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

describe('the kit and an adapter from elsewhere', function () {
  this.timeout(60_000)

  const written = async (name: string, text: string) => {
    const path = join(await temporaryFolder(), name)
    await writeFile(path, text)
    return path
  }
  const EXAMPLE = new URL('../adapters/example/', import.meta.url).href
  const names = { similar: 'Ada Lovelase', other: 'Charles Babbage' }
  const trial = {
    ...{ currency: 'EUR', account: { number: 'EX-1', holder: 'Ada Lovelace' }, names },
    ...{ nobody: { number: 'EX-9', holder: 'Nobody' }, amounts: { settled: '1250' } },
  }
  /** An adapter in TypeScript, with a sandbox of its own; `change` is done to what it opens. */
  const withSandbox = async (change = '') => {
    const port = await freePort()
    return written(
      'my-bank.ts',
      `import { exampleAdapter, type ExampleConfig } from '${EXAMPLE}adapter.ts'
      import { startExampleBank } from '${EXAMPLE}bank.ts'
      export function openAdapter(config: ExampleConfig, options: never) {
        return { ...exampleAdapter(config, options), ${change} }
      }
      export async function openSandbox() {
        const account = { number: 'EX-1', holder: 'Ada Lovelace' }
        const callbackUrl = 'http://127.0.0.1:${port}'
        const { stop, ...bank } = await startExampleBank({ customers: [account], callbackUrl })
        const amounts = { settled: '1250', rejected: '1291', silent: '1292', error: '1295' }
        const more = { amounts: { ...amounts, garbage: '1296', returned: '1298' } }
        const trial = { ...${JSON.stringify(trial)}, ...more, listen: { port: ${port} } }
        return { bank: { ...bank, name: 'mine' }, trial, stop }
      }`,
    )
  }

  it('tries it on the sandbox that its module starts', async () => {
    const path = await withSandbox()
    const { code, text } = await certified(path)
    expect(text.split('\n')[0]).to.equal(path)
    expect(text).to.match(/does not know the outcome when nobody answers +passed/)
    expect(text).to.match(/\n23 passed, 0 failed, 7 not offered$/)
    expect(code).to.equal(0)
  })

  it('finds what is wrong with it', async () => {
    const { code, text } = await certified(
      await withSandbox(`enquire: async () => ({ state: 'not_found' as const })`),
    )
    expect(text).to.match(/says what became of it when asked +failed +still not_found/)
    expect(code).to.equal(1)
  })

  it('tries it on what a file describes, and gives it what it is to be told', async () => {
    const path = await written(
      'mine.mjs',
      `export function openAdapter({ name, secret }, { timeout_ms, fetch, clock }) {
        throw new Error([name, secret, timeout_ms, typeof fetch, clock() > 0].join(' '))
      }`,
    )
    const file = await written(
      'bank.json',
      JSON.stringify({ bank: { name: 'mine', secret: 7 }, trial }),
    )
    const error = await certified(path, '--config', file).catch((thrown: unknown) => thrown)
    expect((error as Error).message).to.equal(`${path}: mine 7 15000 function true`)
  })

  it('says what is wrong with a module that cannot be tried', async () => {
    const told = JSON.stringify({ bank: { name: 'mine' }, trial })
    const opens = (adapter: string, sandbox = told) =>
      `export const openAdapter = () => (${adapter})
      export const openSandbox = () => (${sandbox})`
    for (const [name, text, said] of [
      ['a.ts', undefined, /there is no file .*a\.ts$/],
      ['a.json', '{}', /a\.json is no module: \.ts, \.mts, \.js or \.mjs/],
      ['a.ts', 'export const = 1', /a\.ts cannot be loaded: /],
      ['a.mjs', `throw new Error('not today')`, /a\.mjs cannot be loaded: not today/],
      ['b.mjs', `throw 'a word'`, /b\.mjs cannot be loaded: a word/],
      ['a.ts', `import 'nowhere-at-all'`, /a\.ts cannot be loaded: .*nowhere-at-all/],
      ['a.mjs', '', /a\.mjs exports no function openAdapter, but nothing$/],
      ['a.mjs', 'export const adapter = {}, b = 1', /no function openAdapter, but adapter, b$/],
      ['a.mjs', 'export const openAdapter = 1', /no function openAdapter, but openAdapter$/],
      ['a.mjs', 'export const openAdapter = () => {}', /exports no openSandbox: say by --config/],
      ['a.mjs', opens('0').replace('() => ({"', '({"'), /a\.mjs: openSandbox is no function/],
      ['a.mjs', opens('0', '{}'), /a\.mjs: configuration:\n {2}bank: [^]*trial: /],
      ['a.mjs', opens('0', 'null'), /a\.mjs: configuration:\n {2}bank: /],
      [
        'a.mjs',
        opens('undefined'),
        /a\.mjs: the adapter has no submit, .*name, capabilities, a Set/,
      ],
      ['a.mjs', opens(`{ name: 'a', submit() {} }`), /the adapter has no submitBatch, enquire/],
    ] as const) {
      const path =
        text === undefined ? join(await temporaryFolder(), name) : await written(name, text)
      const error = await certified(path).catch((thrown: unknown) => thrown)
      expect(error, text).to.be.instanceOf(Error)
      expect((error as Error).message, text).to.match(said)
    }
    for (const words of [['nobody'], ['example', 'sandbox'], ['example', '--config', 'a'], []]) {
      const error = await certified(...words).catch((thrown: unknown) => thrown)
      expect((error as Error).name, words.join(' ')).to.equal('UsageError')
    }
  })
})
