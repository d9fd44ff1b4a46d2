/** What we build on is known to the byte, and what is secret is not here. */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { readSources, ROOT } from './support/source.ts'

const read = (path: string) => readFileSync(ROOT + path, 'utf8')

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
}

describe('what is installed', () => {
  const named = JSON.parse(read('package.json'))
  const { '': root, ...packages }: Record<string, Locked> = JSON.parse(
    read('package-lock.json'),
  ).packages

  it('is locked by its content, every package of it', () => {
    expect(root).to.be.an('object')
    expect(Object.keys(packages).length).to.be.greaterThan(300)
    for (const [path, { integrity, resolved }] of Object.entries(packages)) {
      expect(integrity, path).to.match(/^sha512-[A-Za-z0-9+/]{86}==$/)
      // From the registry, unless it says from where.
      expect(resolved ?? 'https://registry', path).to.match(/^https:/)
    }
  })

  it('is asked for by its exact version', () => {
    const asked = { ...named.dependencies, ...named.devDependencies }
    for (const [name, version] of Object.entries<string>(asked)) {
      expect(version, name).to.match(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/)
      expect(packages[`node_modules/${name}`]?.version, name).to.equal(version)
    }
  })

  it('runs nothing while it is installed', () => {
    for (const path of ['services/local/install.mjs', 'Dockerfile']) {
      expect(read(path), path).to.contain('--ignore-scripts')
    }
    expect(new Set(Object.values(named.allowScripts))).to.deep.equal(new Set([false]))
  })
})

/** What only a secret looks like; what is meant to be read as one says so when it is decoded. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[opsu]_\w{36}|\bsk_live_\w{16,}|\bxox[abp]-[\w-]+/,
  /\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}/,
  /["']?\bd["']?: *["'][\w-]{43}["']/,
]
const WEBHOOK_SECRET = /whsec_([A-Za-z0-9+/]{24,}=*)/g
const SENTENCE = /^[a-zA-Z ,.'!]+$/

function secretsIn(text: string): readonly string[] {
  const known = SECRETS.flatMap((one) => one.exec(text)?.[0] ?? [])
  const webhooks = [...text.matchAll(WEBHOOK_SECRET)].filter(
    ([, base64 = '']) => !SENTENCE.test(Buffer.from(base64, 'base64').toString()),
  )
  return [...known, ...webhooks.map(([whole]) => whole)]
}

describe('a secret', () => {
  it('is in no file', () => {
    const sources = readSources()
    expect(sources.length).to.be.greaterThan(800)
    const found = sources.flatMap(({ path, text }) =>
      secretsIn(text).map((one) => `${path}: ${one.slice(0, 12)}...`),
    )
    expect(found).to.deep.equal([])
  })

  it('would be found', () => {
    const random = (bytes: number) => crypto.getRandomValues(Buffer.alloc(bytes))
    const part = () => `eyJ${random(24).toString('base64url')}`
    const [pem, jwt] = ['PRIVATE KEY', `${part()}.${part()}.${part()}`]
    for (const text of [
      `const key = '-----BEGIN ${pem}-----'`,
      `id: AKIA${'A'.repeat(16)}`,
      `token: ${jwt}`,
      `{ "d": "${random(32).toString('base64url')}" }`,
      `secret: whsec_${random(32).toString('base64')}`,
    ]) {
      expect(secretsIn(text), text).to.have.length(1)
    }
  })
})
