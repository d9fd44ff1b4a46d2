/**
 * The sandbox process of `npm start`: two banks, an identity provider and the
 * café's receiver of webhooks, each a real HTTP server.
 */
import { join } from 'node:path'
import { startFileBank } from '../../adapters/iso20022/sandbox/bank.ts'
import { startSandboxBank } from '../../adapters/sandbox/server.ts'
import { readSandboxConfig } from '../config.ts'
import { stopWithParent } from '../local/processes.ts'
import { BANKS, PEOPLE } from './cast.ts'
import { startIdentityProvider } from './identity-provider.ts'
import { startShop } from './shop.ts'

const config = readSandboxConfig()
const portOf = (url: string) => Number(new URL(url).port)

const servers = await Promise.all([
  startShop({
    ...{ host: config.HOST, port: portOf(config.SHOP_URL) },
    file: join(config.DATA_DIR, 'shop.json'),
  }),
  startIdentityProvider({
    host: config.HOST,
    port: portOf(config.IDENTITY_URL),
    issuer: config.IDENTITY_URL,
    audience: config.TOKEN_AUDIENCE,
    keyFile: join(config.DATA_DIR, 'identity.json'),
    people: new Map(PEOPLE.map(({ sub, alias, name }) => [sub, { alias, name }])),
  }),
  ...config.BANKS.filter((bank) => bank.protocol === 'sandbox').map(({ name, url, secret }) =>
    startSandboxBank({
      ...{ name, secret, host: config.HOST, port: portOf(url) },
      journalFile: join(config.DATA_DIR, 'banks', `${name}.jsonl`),
      customers: BANKS.find((bank) => bank.name === name)?.customers ?? [],
      callbackUrl: `${config.API_URL}/v1/banks/${name}/callbacks`,
    }),
  ),
  ...config.BANKS.filter((bank) => bank.protocol === 'iso20022').map(({ name, folder, accounts }) =>
    startFileBank({
      ...{ name, folder, accounts, day_ms: 60_000 },
      journalFile: join(config.DATA_DIR, 'banks', `${name}.jsonl`),
      customers: BANKS.find((bank) => bank.name === name)?.customers ?? [],
    }),
  ),
])

let stopping: Promise<void> | undefined
const stop = () => {
  stopping ??= Promise.all(servers.map((server) => server.stop())).then(() => process.exit(0))
}
process.once('SIGTERM', stop).once('SIGINT', stop)
stopWithParent(stop)
process.send?.('ready')
