/**
 * A second process of the API that trusts one more key, and the key: so a test can write any token
 * it likes, and send the same request to two processes at once.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { pino } from 'pino'
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
export function withSecondApi(use: (api: SecondApi) => void): void {
  let api: SecondApi
  before(async () => {
    api = await startSecondApi()
    use(api)
  })
  after(() => api.stop())
}

async function startSecondApi() {
  const { config, routes } = await world()
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const own = { ...(await exportJWK(publicKey)), kid: KID, alg: 'ES256', use: 'sig' }
  const known = (await (await fetch(config.JWKS_URL)).json()) as { keys: JWK[] }
  const keys = JSON.stringify({ keys: [...known.keys, own] })
  const site = await startSite((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(keys)
  })
  const context = openContext({
    config: { ...config, JWKS_URL: site.url },
    role: 'florin_api',
    log: pino({ level: config.LOG_LEVEL }),
    metrics: openMetrics('second'),
  })
  const server = openServer(context, routes).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const honest = honestToken(config.TOKEN_ISSUER, config.TOKEN_AUDIENCE)

  return {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publicKey,
    publicJwk: own,
    mint: (changes: Minted = {}) => {
      const { header, claims } = honest(changes)
      return new SignJWT(claims).setProtectedHeader(header).sign(privateKey)
    },
    /** The same token, to be signed by somebody else, or by nobody. */
    unsigned: honest,
    async stop() {
      server.close()
      server.closeAllConnections()
      await closeContext(context)
      await site.stop()
    },
  }
}

/** Seconds since 1970. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

const honestToken =
  (issuer: string, audience: string) =>
  ({ claims, header }: Minted) => ({
    header: { alg: 'ES256', typ: 'at+jwt', kid: KID, ...header },
    claims: withoutUndefined({
      ...{ iss: issuer, aud: audience, sub: newSubject('t'), scope: 'person', client_id: 'test' },
      ...{ iat: inSeconds(0), exp: inSeconds(300), ...claims },
    }),
  })

const withoutUndefined = (claims: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
