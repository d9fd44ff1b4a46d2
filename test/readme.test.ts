/** What the README promises in tables is what the code does. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { readConfig } from '../services/config.ts'
import { PROBLEMS } from '../services/http/problems.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

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

  it('names every variable of the configuration', () => {
    const config = Object.keys(
      readConfig({
        ...{ DATABASE_URL: 'postgres://x', PIN_PEPPER: Buffer.alloc(32).toString('base64') },
        TOKEN_ISSUERS: JSON.stringify([
          { issuer: 'https://x', audience: 'x', jwks_url: 'https://x/jwks' },
        ]),
        BANKS: JSON.stringify([
          {
            name: 'x1',
            protocol: 'sandbox',
            url: 'http://x',
            secret: 'whsec_',
            currencies: ['EUR'],
          },
        ]),
      }),
    )
    const table = readme.slice(readme.indexOf('### 5.'), readme.indexOf('## Errors'))
    const missing = config.filter((name) => !table.includes(`\`${name}\``))
    expect(missing).to.deep.equal([])
    expect(config.length).to.be.greaterThan(15)
  })
})
