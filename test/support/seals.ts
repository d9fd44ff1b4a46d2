/** Books of a test's own in a database of their own, which may be sealed, damaged and proven. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  type AccountId,
  connect,
  newId,
  openAccount,
  openGroup,
  seal,
  type SealOptions,
} from '../../ledger/index.ts'
import { openSealKeys } from '../../services/seals/keys.ts'
import { single, times, unitOf } from './books.ts'
import { world } from './world.ts'

const EVIDENCE = { evidence: createHash('sha256').update('agreed').digest() }

export const KEYS = openSealKeys(generateKeyPairSync('ed25519').privateKey, [])

const OPTIONS: SealOptions = {
  origin: 'test',
  sign: async (head) => (await KEYS.sign?.('florin-checkpoint', head)) ?? '',
}

export type SealedBooks = Awaited<ReturnType<typeof openSealedBooks>>

export async function openSealedBooks(database?: { readonly url: string }) {
  const { url } = database ?? (await (await world()).newDatabase())
  const role = 'florin_worker'
  const db = connect({ url, role, connectionsMax: 24, applicationName: 'test sealer' })
  const owner = connect({ url, connectionsMax: 2, applicationName: 'test owner' })
  const groups = times(2, () =>
    openGroup({
      ...{ url, role: 'florin_api', applicationName: 'test group' },
      ...{ companions: {}, refusals: [] },
    }),
  )
  /** Of other types than those that the bench fills books with. */
  const account = (type: 'suspense' | 'merchant') =>
    openAccount(db, { owner: `test ${newId()}`, type, currency: 'EUR' })
  return {
    ...{ url, db, owner, groups, account },
    seal: (more: Partial<SealOptions> = {}) => seal(db, { ...OPTIONS, ...more }),
    /** So many payments of one cent, through both groups; every other one with evidence. */
    async pay(count: number, [from, to]: readonly [AccountId, AccountId]): Promise<void> {
      const units = times(count, async (nth) =>
        groups[nth % 2]?.submit(unitOf([single(from, to, 1n)], nth % 4 < 2 ? {} : EVIDENCE)),
      )
      await Promise.all(units)
    },
    async close() {
      await Promise.all(groups.map((group) => group.close()))
      await db.destroy()
      await owner.destroy()
    },
  }
}

/** Runs SQL as nobody may: as the owner, with every trigger silenced. */
export async function tamper({ owner }: Pick<SealedBooks, 'owner'>, sql: string): Promise<void> {
  await owner.raw(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`)
}
