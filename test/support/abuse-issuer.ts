/**
 * A second process of the API that trusts one more key, and the key: so a test can write any token
 * it likes, and send the same request to two processes at once.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { type Logger, pino } from 'pino'
import type { Config } from '../../services/config.ts'
import { closeContext, openContext } from '../../services/context.ts'
import { openServer } from '../../services/http/server.ts'
import { openMetrics } from '../../services/metrics.ts'
import { newSubject } from './api.ts'
import { startSite } from './sandbox-bank.ts'
import { world } from './world.ts'

const KID = 'a-key-of-the-tests'

export interface Minted {
  /** Over the honest claims; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Over the honest header. */
  readonly header?: Readonly<Record<string, unknown>>
}

export type SecondApi = Awaited<ReturnType<typeof startSecondApi>>

/** A second process for the tests of the `describe` in which this is called. */
export function withSecondApi(use: (api: SecondApi) => void, settings?: Settings): void {
  let api: SecondApi
  before(async () => {
    api = await startSecondApi(settings)
    use(api)
  })
  after(() => api.stop())
}

/** What the second process is told otherwise than the first. */
export type Settings = (first: Config) => Partial<Config>

export async function startSecondApi(settings: Settings = () => ({})) {
  const { config } = await world()
  const [known] = config.TOKEN_ISSUERS
  const issuer = await startIssuer(known.issuer, known.audience, { alsoAt: known.jwks_url })
  const jwks_url = `${issuer.url}/jwks`
  const api = await startApi((first) => ({
    TOKEN_ISSUERS: [{ ...known, jwks_url }],
    ...settings(first),
  }))
  return {
    ...{ apiUrl: api.apiUrl, context: api.context },
    ...{ publicKey: issuer.publicKey, publicJwk: issuer.publicJwk },
    ...{ mint: issuer.mint, unsigned: issuer.unsigned, published: issuer.published },
    async stop() {
      await api.stop()
      await issuer.stop()
    },
  }
}

/** Another process of the API, on the same database; with a log that a test can read. */
export async function startApi(settings: Settings, log?: Logger) {
  const { config, routes } = await world()
  const context = openContext({
    config: { ...config, ...settings(config) },
    role: 'florin_api',
    log: log ?? pino({ level: config.LOG_LEVEL }),
    metrics: openMetrics('second'),
  })
  const server = openServer(context, routes).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    context,
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close()
      server.closeAllConnections()
      await closeContext(context)
    },
  }
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>

/** An issuer that publishes its keys at /jwks, and counts how often it is asked. */
export async function startIssuer(
  issuer: string,
  audience: string,
  { alg = 'ES256', alsoAt }: { readonly alg?: string; readonly alsoAt?: string } = {},
) {
  const known = alsoAt === undefined ? [] : await keysAt(alsoAt)
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const own: JWK = { ...(await exportJWK(publicKey)), kid: KID, alg, use: 'sig' }
  const published = { keys: [...known, own], asked: 0, isDown: false }
  const site = await startSite((_request, response) => {
    published.asked += 1
    const body = JSON.stringify({ keys: published.keys })
    if (published.isDown) response.writeHead(500).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  const honest = honestToken(issuer, audience, alg)
  return {
    ...{ url: site.url, stop: site.stop, publicKey, publicJwk: own, privateKey, published },
    settings: { issuer, audience, jwks_url: `${site.url}/jwks` },
    mint: (changes: Minted = {}, key: Parameters<SignJWT['sign']>[0] = privateKey) => {
      const { header, claims } = honest(changes)
      return new SignJWT(claims).setProtectedHeader(header).sign(key)
    },
    /** The same token, to be signed by somebody else, or by nobody. */
    unsigned: honest,
  }
}

async function keysAt(url: string): Promise<JWK[]> {
  const { keys } = (await (await fetch(url)).json()) as { keys: JWK[] }
  return keys
}

/** Seconds since 1970. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

const honestToken =
  (issuer: string, audience: string, alg: string) =>
  ({ claims, header }: Minted) => ({
    header: { alg, typ: 'at+jwt', kid: KID, ...header },
    claims: withoutUndefined({
      ...{ iss: issuer, aud: audience, sub: newSubject('t'), scope: 'person', client_id: 'test' },
      ...{ iat: inSeconds(0), exp: inSeconds(300), jti: newSubject('j'), ...claims },
    }),
  })

const withoutUndefined = (claims: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
