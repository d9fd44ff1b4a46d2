/** Tokens that are none, and requests that are not quite HTTP. */
import type { Dice } from './values.ts'
import type { Wire } from './wire.ts'

const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url')
const claims = { iss: 'https://id.example', aud: 'florin', sub: 'mallory', scope: 'operator' }
const payload = part({ ...claims, exp: 4_000_000_000, iat: 0, client_id: 'x', jti: 'x' })

/** What is in the header Authorization; undefined for none. */
export const FORGED: readonly (string | undefined)[] = [
  undefined,
  ...[
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer a.b.c',
    'Bearer ..',
    'bearer null',
    'Basic YTpi',
  ],
  ...[`Bearer ${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.`, `DPoP a.${payload}.c`],
  ...['HS256', 'RS256', 'ES256', 'EdDSA', ['ES256'], null, 5].map(
    (alg) => `Bearer ${part({ alg, typ: 'at+jwt', kid: 'x' })}.${payload}.${'A'.repeat(86)}`,
  ),
  `Bearer ${part({ alg: 'ES256', jwk: { kty: 'EC' }, kid: '../../dev/null' })}.${payload}.AAAA`,
  `Bearer ${part({ alg: 'ES256', crit: ['x'], x: 1, jku: 'http://127.0.0.1:1/' })}.${payload}.AAAA`,
  ...[
    `Bearer ${'a'.repeat(6_000)}`,
    `Bearer ${'a.'.repeat(500)}`,
    `Bearer e30.e30.${'A'.repeat(86)}`,
  ],
  ...['Bearer flk_0000000000000000000000000_x', 'Bearer sk_live_1', 'Token x', 'Bearer\tx'],
]

/** A token that was good, with a letter of it changed, a part of it gone, or another claim. */
export function tampered(token: string, { below, pick, happens }: Dice): string {
  const [header = '', body = '', signature = ''] = token.split('.')
  if (happens(0.3)) {
    const said = JSON.parse(Buffer.from(body, 'base64url').toString())
    const more = pick([{ scope: 'operator' }, { exp: 4_000_000_000 }, { sub: 'olga' }, { aud: [] }])
    return `Bearer ${header}.${part({ ...said, ...more })}.${signature}`
  }
  if (happens(0.2)) return `Bearer ${pick([`${header}.${body}`, `${body}.${header}.${signature}`])}`
  // Not its last letter, some of whose bits are no part of the signature.
  const at = below(token.length - 2)
  const letter = token[at] === 'A' ? 'B' : 'A'
  return `Bearer ${token.slice(0, at)}${letter}${token.slice(at + 1)}`
}

type Break = (wire: Wire) => string

/** The request as its bytes; each of them says that the connection is to be closed. */
function bytesOf(
  { method, target, headers, body }: Wire,
  {
    start = `${method} ${target} HTTP/1.1`,
    more = [],
    length = true,
  }: { readonly start?: string; readonly more?: readonly string[]; readonly length?: boolean },
): string {
  const text = body?.toString('latin1') ?? ''
  const lines = [
    ...[start, 'Host: x', 'Connection: close'],
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(length && body !== undefined ? [`Content-Length: ${body.length}`] : []),
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${text}`
}

export const BROKEN: readonly Break[] = [
  (wire) => bytesOf(wire, { more: ['Content-Length: 0'] }),
  (wire) => bytesOf(wire, { more: ['Content-Length: 5', 'Transfer-Encoding: chunked'] }),
  (wire) => bytesOf(wire, { more: ['Content-Length: -1'], length: false }),
  (wire) => bytesOf(wire, { more: ['Content-Length: 0x10'], length: false }),
  (wire) => bytesOf(wire, { more: ['Transfer-Encoding: chunked, identity'], length: false }),
  (wire) => bytesOf(wire, { more: ['Transfer-Encoding : chunked'] }),
  (wire) => bytesOf(wire, { more: ['X-A: 1', ' Transfer-Encoding: chunked'] }),
  (wire) => bytesOf(wire, { more: [': x'] }),
  (wire) => bytesOf(wire, { more: ['X-A: \0'] }),
  (wire) => bytesOf(wire, { more: [`X-Long: ${'y'.repeat(20_000)}`] }),
  (wire) => bytesOf(wire, { start: `${wire.method} ${wire.target} HTTP/9.9` }),
  (wire) => bytesOf(wire, { start: `STEAL ${wire.target} HTTP/1.1` }),
  (wire) => bytesOf(wire, { start: `${wire.method} ${wire.target}` }),
  (wire) => bytesOf(wire, { start: `${wire.method} ${wire.target} x HTTP/1.1` }),
  (wire) => bytesOf(wire, { more: ['Content-Length: 1, 2'], length: false }),
  (wire) => `\r\n\r\n\0${bytesOf(wire, {})}`,
  (wire) => bytesOf(wire, { more: ['Authorization: Bearer x', 'Authorization: Bearer y'] }),
]
