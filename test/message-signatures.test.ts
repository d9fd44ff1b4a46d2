/** HTTP message signatures, by the examples of the standard, and against whoever cheats. */
import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { isInnerList, parseDictionary } from 'structured-headers'
import { BankError } from '../adapters/adapter.ts'
import {
  baseOf,
  isSignedBy,
  type Message,
  type MessageKey,
  signedMessage,
  verifyMessage,
} from '../adapters/message-signatures.ts'

/** RFC 9421, appendix B.2. */
const EXAMPLE: Message = {
  ...{ method: 'POST', path: '/foo?param=Value&Pet=dog', authority: 'example.com' },
  headers: {
    date: 'Tue, 20 Apr 2021 02:07:55 GMT',
    ...{ 'content-type': 'application/json', 'content-length': '18' },
  },
  body: Buffer.from('{"hello": "world"}'),
}

const VECTORS: readonly (readonly [string, MessageKey, string, string])[] = [
  [
    'B.2.5, HMAC',
    {
      ...{ id: 'test-shared-secret', algorithm: 'hmac-sha256' },
      key:
        'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBt' +
        'bmHhIDi6pcl8jsasjlTMtDQ==',
    },
    'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=',
  ],
  [
    'B.2.6, Ed25519',
    {
      ...{ id: 'test-key-ed25519', algorithm: 'ed25519' },
      key: 'MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=',
    },
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")' +
      ';created=1618884473;keyid="test-key-ed25519"',
    'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
  ],
]

const NOW = new Date('2026-11-28T12:00:00Z')
const ed25519 = generateKeyPairSync('ed25519')
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PAIRS: readonly (readonly [MessageKey, MessageKey])[] = [
  [
    { id: 'mac', algorithm: 'hmac-sha256', key: Buffer.alloc(32, 9).toString('base64') },
    { id: 'mac', algorithm: 'hmac-sha256', key: Buffer.alloc(32, 9).toString('base64') },
  ],
  [
    { id: 'edwards', algorithm: 'ed25519', key: ed25519.privateKey },
    { id: 'edwards', algorithm: 'ed25519', key: ed25519.publicKey },
  ],
  [
    { id: 'curve', algorithm: 'ecdsa-p256-sha256', key: p256.privateKey },
    { id: 'curve', algorithm: 'ecdsa-p256-sha256', key: p256.publicKey },
  ],
]
const [, PAIR] = PAIRS
const [PRIVATE, PUBLIC] = PAIR ?? expect.fail('no keys')
const PUBLICS = PAIRS.map(([, key]) => key)

const plain: Message = {
  ...{ method: 'POST', path: '/v1/banks/north/callbacks' },
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"event_id":"1"}'),
}

function signed(key: MessageKey = PRIVATE, now = NOW): Message {
  const headers = { ...plain.headers, ...signedMessage(plain, key, { now, nonce: 'once' }) }
  return { ...plain, headers }
}

const codeOf = (message: Message, keys = PUBLICS, now = NOW) => {
  try {
    return verifyMessage(message, keys, now)
  } catch (error) {
    return error instanceof BankError ? error.code : expect.fail(String(error))
  }
}

const withHeaders = (change: Message['headers']): Message => {
  const message = signed()
  return { ...message, headers: { ...message.headers, ...change } }
}

describe('a message signature', () => {
  for (const [name, key, input, signature] of VECTORS) {
    it(`is what the standard says: ${name}`, () => {
      const [list] = parseDictionary(input).values()
      if (list === undefined || !isInnerList(list)) expect.fail('not a list')
      const base = baseOf(EXAMPLE, list)
      expect(isSignedBy(key, base, Buffer.from(signature, 'base64'))).to.equal(true)
      base[5] = (base[5] ?? 0) ^ 1
      expect(isSignedBy(key, base, Buffer.from(signature, 'base64'))).to.equal(false)
    })
  }

  for (const [key] of PAIRS) {
    it(`by ${key.algorithm} is checked with the key that it names`, () => {
      expect(codeOf(signed(key))).to.equal(key.id)
      const others = PUBLICS.filter(({ id }) => id !== key.id)
      expect(codeOf(signed(key), others)).to.equal('bad_signature')
    })
  }

  const input = () => String(signed().headers['signature-input'])
  const CHEATS: readonly (readonly [string, () => Message])[] = [
    ['another body', () => ({ ...signed(), body: Buffer.from('{"event_id":"2"}') })],
    ['another path', () => ({ ...signed(), path: '/v1/banks/south/callbacks' })],
    ['another method', () => ({ ...signed(), method: 'GET' })],
    ['another type', () => withHeaders({ 'content-type': 'text/plain' })],
    ['no digest', () => withHeaders({ 'content-digest': undefined })],
    ['a digest that we do not know', () => withHeaders({ 'content-digest': 'md5=:AAAA:' })],
    [
      'a digest that is wrong too',
      () =>
        withHeaders({
          'content-digest': `${String(signed().headers['content-digest'])}, sha-512=:AAAA:`,
        }),
    ],
    ['no signature', () => withHeaders({ signature: undefined })],
    ['a signature of another name', () => withHeaders({ signature: 'sig2=:AAAA:' })],
    ['nothing readable', () => withHeaders({ 'signature-input': 'sig1=(("' })],
    [
      'a later time',
      () =>
        withHeaders({ 'signature-input': input().replace(/created=\d+/, 'created=1795867300') }),
    ],
    ['less covered', () => withHeaders({ 'signature-input': input().replace('"@path" ', '') })],
    [
      'the algorithm of another key',
      () => withHeaders({ 'signature-input': `${input()};alg="hmac-sha256"` }),
    ],
    [
      'a parameter that changes what is meant',
      () => withHeaders({ 'signature-input': input().replace('"@path"', '"@path";req') }),
    ],
    [
      'the id of another key',
      () => withHeaders({ 'signature-input': input().replace('edwards', 'curve') }),
    ],
  ]
  for (const [what, message] of CHEATS) {
    it(`is refused with ${what}`, () => {
      expect(codeOf(message())).to.equal('bad_signature')
    })
  }

  it('is good for five minutes, either way', () => {
    const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
    expect(codeOf(signed(), PUBLICS, later(300))).to.equal('edwards')
    expect(codeOf(signed(), PUBLICS, later(301))).to.equal('callback_expired')
    expect(codeOf(signed(), PUBLICS, later(-301))).to.equal('callback_expired')
  })

  it('may be one of several, while a key is replaced', () => {
    const [old, fresh] = [signed(PAIRS[0]?.[0]), signed()]
    const joined = (name: string) => {
      const former = String(old.headers[name]).replace('sig1', 'old')
      return `${former}, ${String(fresh.headers[name])}`
    }
    const both = { 'signature-input': joined('signature-input'), signature: joined('signature') }
    expect(codeOf(withHeaders(both), [PUBLIC])).to.equal('edwards')
    expect(codeOf(withHeaders(both))).to.equal('mac')
  })
})
