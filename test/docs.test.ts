/** What is written about the settings and the abuse cases is what the source says. */
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { readSandboxConfig } from '../services/config.ts'
import { documents } from './support/docs.ts'
import { allSettings, NOT_FOR_CONTAINERS } from './support/settings.ts'
import { ROOT } from './support/source.ts'

const textOf = (path: string) => (existsSync(ROOT + path) ? readFileSync(ROOT + path, 'utf8') : '')

/** What docker-compose.yml hands to the API and the worker. */
const handedOver = () => {
  const [, block = ''] = textOf('docker-compose.yml').split('x-environment:')
  return [...(block.split('\nservices:')[0] ?? '').matchAll(/^ {2}([A-Z_0-9]+):/gm)].map(
    ([, name]) => name!,
  )
}

describe('what is written from the source', () => {
  let expected: ReadonlyMap<string, string>
  before(async () => (expected = await documents()))

  for (const path of [
    'docs/settings.md',
    'docs/events.md',
    'docs/security.md',
    'docs/sandbox-bank.md',
    '.env.example',
  ]) {
    it(`is up to date, or npm run docs was forgotten: ${path}`, () => {
      expect(textOf(path)).to.equal(expected.get(path))
    })
  }
})

describe('a setting', () => {
  const names = allSettings.map(({ name }) => name)

  it('is one of many, each named once and explained', () => {
    expect(names.length).to.be.greaterThan(90)
    expect(new Set(names).size).to.equal(names.length)
    const mute = allSettings.filter(({ meaning }) => meaning.length < 10)
    expect(mute.map(({ name }) => name)).to.deep.equal([])
  })

  it('reaches the containers, all of them, and nothing else does', () => {
    const known = names.filter((name) => !NOT_FOR_CONTAINERS.includes(name))
    const given = [...handedOver(), 'DATABASE_URL']
    expect(given.sort()).to.deep.equal(known.sort())
    // Each process has its own url, because each has its own role.
    expect(textOf('docker-compose.yml').match(/^ {6}DATABASE_URL:/gm)).to.have.length(3)
  })

  it('of the sandbox’s container is all it needs to start', () => {
    const [, block = ''] = textOf('docker-compose.yml').split('services/sandbox/main.js]')
    const [environment = ''] = block.split('volumes:')
    const given = [...environment.matchAll(/^ {6}([A-Z_]+): (.*)$/gm)]
    const banks = /^#BANKS='(.*sandbox.*)'$/m.exec(textOf('.env.example'))?.[1]
    const env = Object.fromEntries(given.map(([, name, value]) => [name!, value!]))
    expect(readSandboxConfig({ ...env, BANKS: banks })).to.include({ TOKEN_AUDIENCE: 'florin' })
  })

  it('that must be given is asked for by docker-compose.yml, and .env.example has its line', () => {
    const [compose, example] = [textOf('docker-compose.yml'), textOf('.env.example')]
    const inProduction = ['SEAL_KEY', 'PIN_JWE_KEY']
    const required = allSettings.filter(({ isRequired }) => isRequired).map(({ name }) => name)
    for (const name of [...required, ...inProduction].filter((one) => one !== 'DATABASE_URL')) {
      expect(compose).to.contain(`\${${name}:?set ${name} in .env}`)
      expect(example).to.match(new RegExp(`^#${name}=`, 'm'))
    }
    expect(required).to.include('DATABASE_URL').and.have.length.greaterThan(5)
  })
})
