/**
 * `npm run migrate`: brings the database up to date, as its owner, and lets the processes log in.
 */
import { readMigrationConfig, vaultKeysOf } from './config.ts'
import { letRolesLogIn, migrateAll } from './migrations.ts'

async function main(): Promise<void> {
  const config = readMigrationConfig()
  await migrateAll(config.DATABASE_URL, vaultKeysOf(config))
  const passwords = {
    ...(config.API_PASSWORD !== undefined && { florin_api: config.API_PASSWORD }),
    ...(config.WORKER_PASSWORD !== undefined && { florin_worker: config.WORKER_PASSWORD }),
  }
  if (Object.keys(passwords).length > 0) await letRolesLogIn(config.DATABASE_URL, passwords)
  process.stdout.write('the database is up to date\n')
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
