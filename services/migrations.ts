/** Bringing a database up to date: the books, the business, the doorbell, the roles. */
import { connect, migrate } from '../ledger/index.ts'
import { migrateQueue } from './queue.ts'
import { carryOver } from './vault/carry_over.ts'
import type { VaultKeys } from './vault/vault.ts'

const FOLDERS = ['../ledger/migrations/', './migrations/'].map(
  (path) => new URL(path, import.meta.url),
)

const ROLES = ['florin_api', 'florin_worker'] as const

/**
 * `url` must be the owner's: nobody else may create tables. Safe to run at any time.
 * @param keys needed where an earlier version kept in clear what is sealed now.
 */
export async function migrateAll(url: string, keys?: VaultKeys): Promise<void> {
  const db = connect({ url, connectionsMax: 2, applicationName: 'florin migrate' })
  try {
    await migrate(db, FOLDERS)
    await carryOver(db, keys)
    // After a restore events go on after the restored ones, whose transactions had higher numbers.
    await db.raw('SELECT continue_event_order()')
  } finally {
    await db.destroy()
  }
  await migrateQueue(url, ROLES)
}

/** Lets the roles log in, with a password or, where the socket itself is the lock, without. */
export async function letRolesLogIn(
  url: string,
  passwords: Partial<Readonly<Record<(typeof ROLES)[number], string>>>,
): Promise<void> {
  const db = connect({ url, connectionsMax: 1, applicationName: 'florin migrate' })
  try {
    for (const role of ROLES) {
      const password = passwords[role]
      const quoted = password === undefined ? '' : ` PASSWORD '${password.replaceAll("'", "''")}'`
      await db.raw(`ALTER ROLE ${role} LOGIN${quoted.replaceAll('?', '\\?')}`)
    }
  } finally {
    await db.destroy()
  }
}
