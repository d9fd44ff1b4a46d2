/**
 * Mints access tokens for whoever asks: the chat app's identity provider, as far as a first run
 * needs one. It proves nothing about anybody, so it must never run beside real money.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose'
import getRawBody from 'raw-body'
import { z } from 'zod'
import { PROOF_ALGORITHMS, readProof } from '../credentials/dpop.ts'
import { GRANTS } from '../credentials/scopes.ts'

export interface IdentityProviderOptions {
  /** 0 for any free one. */
  port: number
  host?: string
  issuer: string
  audience: string
  /** Made at the first start and kept: a restart must not void the tokens of a minute ago. */
  keyFile: string
  /** By `sub`. Anybody else may come too, under the `sub` in lower case as alias and name. */
  people: ReadonlyMap<string, Person>
}

export interface Person {
  alias: string
  name: string
}

const TOKEN_AGE_S = 300
const BODY_LIMIT = '4kb'
const ALGORITHM = 'ES256'

const PROOF_AGE_MAX_S = 60

const SCOPES: readonly string[] = Object.keys(GRANTS)

const TokenRequest = z.strictObject({
  sub: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  scope: z
    .string()
    .transform((scope) => scope.split(' ', SCOPES.length + 1))
    .refine((asked) => asked.every((one) => SCOPES.includes(one)))
    .refine((asked) => new Set(asked).size === asked.length),
})

type TokenRequest = z.infer<typeof TokenRequest>

interface Reply {
  readonly status: number
  readonly json: object
}

interface Provider extends IdentityProviderOptions {
  readonly key: SigningKey
  readonly url: string
}

interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

export async function startIdentityProvider(
  options: IdentityProviderOptions,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const { host = '127.0.0.1', port } = options
  const key = await keyIn(options.keyFile)
  const server = createServer((request, response) => {
    const provider = { ...options, key, url: `http://${host}:${portOf(server)}` }
    reply(provider, request)
      .catch((): Reply => ({ status: 500, json: { error: 'server_error' } }))
      .then((found) => send(response, found))
      .catch(() => response.destroy())
  })
  await once(server.listen(port, host), 'listening')
  return {
    url: `http://${host}:${portOf(server)}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function reply(provider: Provider, request: IncomingMessage): Promise<Reply> {
  const [path] = (request.url ?? '/').split('?', 1)
  const asked = `${request.method} ${path}`
  if (asked === 'GET /.well-known/jwks.json')
    return { status: 200, json: { keys: [provider.key.publicJwk] } }
  if (asked === 'GET /.well-known/openid-configuration')
    return { status: 200, json: configuration(provider) }
  if (asked === 'POST /token') return tokenReply(provider, request)
  return { status: 404, json: { error: 'not_found' } }
}

const configuration = ({ issuer, url }: Provider) => ({
  issuer,
  jwks_uri: `${url}/.well-known/jwks.json`,
  token_endpoint: `${url}/token`,
  scopes_supported: SCOPES,
  dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
  response_types_supported: ['token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [ALGORITHM],
})

async function tokenReply(provider: Provider, request: IncomingMessage): Promise<Reply> {
  const parsed = TokenRequest.safeParse(await jsonOf(request))
  if (parsed.success) {
    const proof = request.headers['dpop']
    const boundTo = proof === undefined ? undefined : await holderOf(provider, String(proof))
    return boundTo === null
      ? { status: 400, json: { error: 'invalid_dpop_proof' } }
      : { status: 200, json: await tokenFor(provider, parsed.data, boundTo) }
  }
  const isScope = parsed.error.issues.every(({ path }) => path[0] === 'scope')
  return { status: 400, json: { error: isScope ? 'invalid_scope' : 'invalid_request' } }
}

/** The key that the token is to be bound to; null when the proof shows no such key. */
async function holderOf({ url }: Provider, proof: string): Promise<string | null> {
  const asked = { method: 'POST', url: `${url}/token`, now: new Date(), ageMax_s: PROOF_AGE_MAX_S }
  return (await readProof(proof, asked))?.thumbprint ?? null
}

/** Undefined for what is no JSON, too long, or cut short: no token request either way. */
async function jsonOf(request: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse(await getRawBody(request, { limit: BODY_LIMIT, encoding: 'utf-8' }))
  } catch {
    return undefined
  }
}

/** An access token by RFC 9068, and the answer around it by RFC 6749. */
async function tokenFor(
  { issuer, audience, key, people }: Provider,
  { sub, scope }: TokenRequest,
  boundTo: string | undefined,
) {
  const person = people.get(sub) ?? { alias: sub.toLowerCase(), name: sub.toLowerCase() }
  const claims = {
    client_id: 'sandbox',
    scope: scope.join(' '),
    preferred_username: person.alias,
    name: person.name,
    ...(boundTo !== undefined && { cnf: { jkt: boundTo } }),
  }
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, typ: 'at+jwt', kid: key.kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(sub)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_AGE_S}s`)
    .sign(key.privateKey)
  const token_type = boundTo === undefined ? 'Bearer' : 'DPoP'
  return { access_token: token, token_type, expires_in: TOKEN_AGE_S }
}

async function keyIn(file: string): Promise<SigningKey> {
  const jwk = (await savedKey(file)) ?? (await newKey(file))
  const kid = await calculateJwkThumbprint(jwk)
  const privateKey = await importJWK(jwk, ALGORITHM)
  if (privateKey instanceof Uint8Array) throw new Error(`${file} holds no ${ALGORITHM} key`)
  const { kty, crv, x, y } = EcKey.parse(jwk)
  return { kid, privateKey, publicJwk: { kty, crv, x, y, kid, alg: ALGORITHM, use: 'sig' } }
}

const EcKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
})

async function savedKey(file: string): Promise<JWK | undefined> {
  try {
    return EcKey.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new Error(`${file} holds no ${ALGORITHM} key`, { cause: error })
  }
}

/** Written aside and renamed: a crash leaves a whole key or none. */
async function newKey(file: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
  const jwk = await exportJWK(privateKey)
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(jwk), { mode: 0o600, flag: 'wx' })
  await rename(draft, file)
  return jwk
}

function send(response: ServerResponse, { status, json }: Reply): void {
  if (!response.req.complete) response.setHeader('connection', 'close')
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(json))
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}
