/** Which process of `npm start` listens where, and what each is told. */
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readVaultKeys } from '../config.ts'
import { publicKeysOf } from '../seals/keys.ts'
import type { VaultKeys } from '../vault/vault.ts'
import { BANKS, CAFE, ISSUER, OPERATOR, PEOPLE, SECOND_OPERATOR } from './cast.ts'

export interface Layout {
  readonly ports: readonly number[]
  readonly apiUrl: string
  readonly tokenUrl: string
  /** Where the café's receiver of webhooks listens. */
  readonly shopUrl: string
  readonly dataDir: string
  /** What seals at rest: migrations need it too. */
  readonly vaultKeys: VaultKeys
  readonly processes: (urlOf: (role: string) => string) => readonly ProcessPlan[]
}

export interface ProcessPlan {
  readonly name: string
  readonly script: URL
  readonly env: Readonly<Record<string, string>>
}

const AUDIENCE = 'florin'
const script = (path: string) => new URL(path, import.meta.url)
const local = (port: number) => `http://127.0.0.1:${port}`
const portOf = (url: string) => Number(new URL(url).port)

/** A first run does not wait; and its receiver of webhooks is where else none may be: here. */
const QUICK = {
  ...{ SWEEP_EVERY_MS: '500', ENQUIRY_FIRST_S: '2', ENQUIRY_SPACING_S: '2' },
  ...{ BANK_TIMEOUT_MS: '5000', BANK_CUT_OFF_S: '20' },
  ...{ WEBHOOK_TARGETS: 'any', WEBHOOK_TIMEOUT_MS: '2000' },
  INVOICE_ISSUER: JSON.stringify(ISSUER),
}

export async function layOut(
  { PORT, REDIS_URL }: { readonly PORT: number; readonly REDIS_URL?: string | undefined },
  dataDir: string,
): Promise<Layout> {
  const secrets = await readSecrets(join(dataDir, 'secrets.json'))
  await publishKey(join(dataDir, 'jwks.json'), secrets.sealKey)
  const [identityPort, workerPort] = [PORT + 1, PORT + 2]
  const banks = banksOf(PORT, secrets)
  const [apiUrl, shopUrl] = [local(PORT), local(PORT + 3 + BANKS.length)]
  const tokenUrl = `${local(identityPort)}/token`
  const issuer = {
    ...{ issuer: local(identityPort), audience: AUDIENCE },
    jwks_url: `${local(identityPort)}/.well-known/jwks.json`,
  }
  const shared = {
    ...QUICK,
    ...{ NODE_ENV: 'development', MERCHANT_REVIEW: 'off' },
    TOKEN_ISSUERS: JSON.stringify([issuer]),
    ...{ PUBLIC_URL: apiUrl, PIN_PEPPER: secrets.pepper },
    BANKS: JSON.stringify(banks),
    ...{ SEAL_KEY: secrets.sealKey, PIN_JWE_KEY: secrets.pinKey },
    ...{ DATA_KEYS: secrets.dataKeys, BLIND_INDEX_KEY: secrets.blindIndexKey },
    ...(REDIS_URL !== undefined && { REDIS_URL }),
    SANDBOX: JSON.stringify(sandboxDocument(apiUrl, tokenUrl, banks)),
  }
  const sandbox = {
    ...{ DATA_DIR: dataDir, API_URL: apiUrl, IDENTITY_URL: local(identityPort) },
    ...{ TOKEN_AUDIENCE: AUDIENCE, BANKS: shared.BANKS, SHOP_URL: shopUrl },
  }
  return {
    ports: [
      PORT,
      identityPort,
      workerPort,
      ...[...banks.map(({ url }) => url), shopUrl].map(portOf),
    ],
    ...{ apiUrl, tokenUrl, shopUrl, dataDir, vaultKeys: readVaultKeys(shared) },
    processes: (urlOf) => [
      { name: 'sandbox', script: script('./main.ts'), env: sandbox },
      {
        ...{ name: 'api', script: script('../api.ts') },
        env: { ...shared, PORT: `${PORT}`, DATABASE_URL: urlOf('florin_api') },
      },
      {
        ...{ name: 'worker', script: script('../worker.ts') },
        env: { ...shared, WORKER_PORT: `${workerPort}`, DATABASE_URL: urlOf('florin_worker') },
      },
    ],
  }
}

/** Each pays the others over one that no customer's money takes: their own bank comes first. */
const RAILS = [
  { rail: 'internal', directions: ['debit', 'credit'] },
  { rail: 'clearing', directions: ['credit'], banks: BANKS.map(({ name }) => name), priority: 200 },
]

const banksOf = (PORT: number, secrets: Secrets) =>
  BANKS.map(({ name }, index) => ({
    ...{ name, protocol: 'sandbox', url: local(PORT + 3 + index) },
    ...{ secret: secrets.banks[name] ?? '', currencies: ['EUR'], rails: RAILS },
  }))

interface Secrets {
  readonly pepper: string
  readonly banks: Readonly<Record<string, string>>
  /** An Ed25519 private key, PKCS8 in base64. */
  readonly sealKey: string
  /** DATA_KEYS as the environment carries them. */
  readonly dataKeys: string
  readonly blindIndexKey: string
  /** A P-256 private key, PKCS8 in base64. */
  readonly pinKey: string
}

const SECRETS: readonly (keyof Secrets)[] = [
  ...(['pepper', 'banks', 'sealKey', 'pinKey', 'dataKeys', 'blindIndexKey'] as const),
]

/**
 * Made at the first start and kept: without the pepper no PIN could ever be checked again. What an
 * older start did not need yet is added.
 */
async function readSecrets(file: string): Promise<Secrets> {
  const known = await readFile(file, 'utf8').catch(() => '{}')
  const given: Partial<Secrets> = JSON.parse(known)
  if (SECRETS.every((name) => given[name] !== undefined)) return given as Secrets
  const secret = () => randomBytes(32).toString('base64')
  const banks = Object.fromEntries(BANKS.map(({ name }) => [name, `whsec_${secret()}`]))
  const dataKeys = JSON.stringify([{ kid: 'first', key: secret() }])
  const [sealKey, pinKey] = [newSealKey(), newPinKey()]
  const fresh = { pepper: secret(), banks, sealKey, pinKey, dataKeys }
  const secrets = { ...fresh, blindIndexKey: secret(), ...given }
  await writeFile(`${file}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 })
  await rename(`${file}.new`, file)
  return secrets
}

function newSealKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  return privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
}

function newPinKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
}

/** Where `florin verify` looks for it: what it needs, offline. */
async function publishKey(file: string, sealKey: string): Promise<void> {
  const der = { key: Buffer.from(sealKey, 'base64'), format: 'der', type: 'pkcs8' } as const
  const keys = await publicKeysOf(createPrivateKey(der))
  await writeFile(file, JSON.stringify(keys, null, 2))
}

/** What `GET /sandbox` answers. */
function sandboxDocument(
  apiUrl: string,
  tokenUrl: string,
  banks: readonly { readonly name: string; readonly url: string }[],
) {
  return {
    api: apiUrl,
    docs: `${apiUrl}/docs`,
    token_endpoint: tokenUrl,
    people: PEOPLE.map(({ sub, alias, name, pin, account }) => ({
      ...{ sub, scope: 'person', alias: `@${alias}`, name, pin, bank_account: account },
    })),
    merchants: [
      {
        sub: CAFE.sub,
        scope: 'merchant',
        alias: `@${CAFE.alias}`,
        name: CAFE.name,
        fees: CAFE.fees,
      },
    ],
    operators: [OPERATOR, SECOND_OPERATOR].map(({ sub }) => ({ sub, scope: 'operator' })),
    banks: banks.map(({ name, url }) => ({ name, url, books: `${url}/books` })),
    curl: curlLines(apiUrl, tokenUrl),
  }
}

/** Lines that work when pasted into a shell. */
export function curlLines(apiUrl: string, tokenUrl: string) {
  const json = `-H 'content-type: application/json'`
  const token = (sub: string, scope: string) =>
    `TOKEN=$(curl -s ${tokenUrl} ${json} -d '{"sub":"${sub}","scope":"${scope}"}'` +
    ` | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`
  const [alice] = PEOPLE
  const payment = {
    ...{ payee: '@bob', amount: '100', currency: 'EUR', note: 'Hello' },
    approval: { pin: alice.pin },
  }
  const as = `-H "authorization: Bearer $TOKEN"`
  return {
    pay:
      `${token(alice.sub, 'person')}; curl -s ${apiUrl}/v1/payments ${as} ${json}` +
      ` -H "idempotency-key: pasted-$(date +%s)-$$" -d '${JSON.stringify(payment)}'`,
    accounts: `${token(alice.sub, 'person')}; curl -s ${apiUrl}/v1/accounts ${as}`,
    proof: `${token(OPERATOR.sub, 'operator')}; curl -s ${apiUrl}/v1/ledger/proof ${as}`,
  }
}
