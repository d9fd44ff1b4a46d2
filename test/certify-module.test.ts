/** An adapter that somebody wrote elsewhere, certified by its path. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { certified } from './support/certified.ts'
import { freePort } from './support/ports.ts'
import { temporaryFolder } from './support/sandbox-bank.ts'

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
