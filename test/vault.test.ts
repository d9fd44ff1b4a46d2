/** The vault: what is sealed opens where it was sealed, under the key that sealed it, or not. */
import { expect } from 'chai'
import { ConfigError, readConfig } from '../services/config.ts'
import { openVault, VaultError } from '../services/vault/vault.ts'

const key = (kid: string, byte: number) => ({ kid, key: Buffer.alloc(32, byte) })
const blindIndexKey = Buffer.alloc(32, 9)
const old = openVault({ dataKeys: [key('old', 1)], blindIndexKey })
const both = openVault({ dataKeys: [key('new', 2), key('old', 1)], blindIndexKey })
const PLACE = { table: 'bank_accounts', row: 'r1', column: 'number' }

describe('the vault', () => {
  it('opens what it sealed, text and bytes, the empty ones too', () => {
    for (const value of ['', 'DE00 1234', 'Zoë 🙂', Buffer.from([0, 255, 10])]) {
      const opened = old.open(PLACE, old.seal(PLACE, value))
      expect(opened).to.deep.equal(Buffer.from(value))
    }
  })

  it('never seals the same text alike', () => {
    const sealed = Array.from({ length: 50 }, () => old.seal(PLACE, 'same').toString('hex'))
    expect(new Set(sealed).size).to.equal(50)
  })

  it('refuses a value that was moved to another table, row or column', () => {
    const sealed = old.seal(PLACE, 'DE00')
    const elsewhere = [
      { ...PLACE, table: 'people' },
      { ...PLACE, row: 'r2' },
      { ...PLACE, column: 'holder' },
      // The same letters, cut elsewhere.
      { table: 'bank_accountsr', row: '1', column: 'number' },
      { table: 'bank_accounts', row: 'r1n', column: 'umber' },
    ]
    for (const place of elsewhere) {
      expect(() => old.open(place, sealed)).to.throw(VaultError, /was sealed elsewhere/)
    }
  })

  it('refuses a value of which any bit was changed', () => {
    const sealed = old.seal(PLACE, 'DE00')
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => old.open(PLACE, changed), `bit ${bit}`).to.throw(VaultError)
    }
    for (const cut of [0, 1, 2, 20, sealed.length - 1]) {
      expect(() => old.open(PLACE, sealed.subarray(0, cut))).to.throw(VaultError)
    }
  })

  it('opens under earlier keys and seals under the first', () => {
    expect(both.open(PLACE, old.seal(PLACE, 'a')).toString()).to.equal('a')
    expect(() => old.open(PLACE, both.seal(PLACE, 'a'))).to.throw(/no key new is configured/)
  })

  it('has a blind index that new data keys do not change, another one in each column', () => {
    const index = old.blindIndex(PLACE, 'DE00')
    expect(both.blindIndex(PLACE, 'DE00')).to.deep.equal(index)
    expect(old.blindIndex(PLACE, 'DE01')).not.to.deep.equal(index)
    expect(old.blindIndex({ ...PLACE, column: 'holder' }, 'DE00')).not.to.deep.equal(index)
  })

  it('is given keys of 32 bytes, each with a name of its own, or does not start', () => {
    const faultsOf = (keys: unknown) => {
      try {
        readConfig({ DATA_KEYS: JSON.stringify(keys) })
      } catch (error) {
        if (error instanceof ConfigError) return error.message
      }
      return ''
    }
    const good = { kid: 'a', key: Buffer.alloc(32, 1).toString('base64') }
    const bad: [unknown, RegExp][] = [
      [[], /DATA_KEYS: needs a key/],
      [[good, good], /DATA_KEYS: a kid is there twice/],
      [[{ ...good, key: Buffer.alloc(16).toString('base64') }], /DATA_KEYS.0.key: .*32 bytes/],
      [[{ ...good, key: Buffer.alloc(33).toString('base64') }], /DATA_KEYS.0.key: .*32 bytes/],
      [[{ ...good, kid: 'a b' }], /DATA_KEYS.0.kid/],
    ]
    for (const [keys, fault] of bad) expect(faultsOf(keys)).to.match(fault)
    expect(faultsOf([good])).not.to.match(/DATA_KEYS/)
  })
})
