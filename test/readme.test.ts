/** What the README promises in tables is what the code does. */
import { expect } from 'chai'
import { existsSync, readFileSync } from 'node:fs'
import { PROBLEMS } from '../services/http/problems.ts'
import { allSettings } from './support/settings.ts'
import { readSources } from './support/source.ts'

const ROOT = new URL('../', import.meta.url)
const readme = readFileSync(new URL('README.md', ROOT), 'utf8')

describe('the README', () => {
  it('lists every code with its status and title, and no other', () => {
    const expected = Object.entries(PROBLEMS)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, [status, title]]) => `| \`${code}\` | ${status} | ${title} |`)
    const errors = readme.slice(readme.indexOf('## Errors'), readme.indexOf('## Figures'))
    const found = errors
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.replaceAll(/ +/g, ' '))
    expect(found).to.deep.equal(expected)
  })

  it('names only settings that there are, with the defaults they have', () => {
    const deployed = readme.slice(readme.indexOf('### 5.'), readme.indexOf('## Errors'))
    const rows = deployed.split('\n').filter((line) => /^\| +`[A-Z]/.test(line))
    expect(rows).to.have.length.greaterThan(5)
    for (const row of rows) {
      const [, names = '', defaults = ''] = row.split('|')
      const known = [...names.matchAll(/`([A-Z_0-9]+)`/g)].map(([, name]) =>
        allSettings.find((one) => one.name === name),
      )
      expect(known, row).not.to.include(undefined)
      const expected = known.flatMap((one) => one?.fallback ?? [])
      expect(defaults.trim(), row).to.equal(expected.join(', '))
    }
  })

  it('names every metric of ours for whoever is paged, and no other', () => {
    const ours = readSources()
      .filter(({ path }) => path.startsWith('services/'))
      .flatMap(({ text }) => [...text.matchAll(/'(florin(?:_[a-z]+){2,})'/g)])
      .map(([, name]) => name!)
    const paged = readme.slice(readme.indexOf('Paged at night?'), readme.indexOf('### 6.'))
    const named = [...paged.matchAll(/`(florin_[a-z_]+)`/g)].map(([, name]) => name!)
    expect(new Set(ours).size).to.be.greaterThan(15)
    expect([...new Set(named)].sort()).to.deep.equal([...new Set(ours)].sort())
  })

  it('leads to the page of all settings and to that of all abuse cases', () => {
    for (const page of ['docs/settings.md', 'docs/security.md']) {
      expect(readme).to.contain(`](${page})`)
      expect(existsSync(new URL(page, ROOT)), page).to.equal(true)
    }
  })
})
