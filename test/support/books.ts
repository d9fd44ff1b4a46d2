/** Books of a test's own: accounts and units, without any business around them. */
import {
  type Accepted,
  type AccountType,
  connect,
  type Group,
  type Movement,
  newId,
  newUnitId,
  type NewTransfer,
  openAccount,
  openGroup,
  type Refusal,
  type Resolution,
  type Unit,
} from '../../ledger/index.ts'
import { world } from './world.ts'

export const AT = () => ({ code: 'test', reference: newId() })

/** As the API's role: what that role may not do, a test cannot do either. */
export async function openBooks() {
  const { url } = await world()
  const role = 'florin_api'
  const db = connect({ url, role, connectionsMax: 4, applicationName: 'test books' })
  const groups: Group[] = []
  const group = (options: { groupSizeMax?: number; queueLengthMax?: number } = {}) => {
    const opened = openGroup({
      ...{ url, role, applicationName: 'test group', companions: COMPANIONS, refusals: REFUSALS },
      ...options,
    })
    groups.push(opened)
    return opened
  }
  const account = (type: AccountType = 'wallet', currency = 'EUR') =>
    openAccount(db, { owner: `test ${newId()}`, type, currency })
  return {
    ...{ db, group, account },
    async close() {
      await Promise.all(groups.map((one) => one.close()))
      await db.destroy()
    },
  }
}

const COMPANIONS = { aliases: ['alias', 'person_id', 'merchant_id'] }
const REFUSALS = ['alias_taken']

export const single = (debit: string, credit: string, amount: bigint): Movement => ({
  ...{ kind: 'single', debit, credit, money: { amount, currency: 'EUR' }, ...AT() },
})

export const pending = (debit: string, credit: string, amount: bigint): Movement => ({
  ...single(debit, credit, amount),
  kind: 'pending',
})

export const resolution = (kind: 'post' | 'void', hold: string): Resolution => ({
  ...{ kind, hold, ...AT() },
})

/** Answers 'ok' or the code it was refused with. */
export const unitOf = (transfers: readonly NewTransfer[], more: Partial<Unit> = {}): Unit => ({
  id: newUnitId(),
  at: new Date(),
  transfers,
  conclude: (verdict: Accepted | Refusal) => ({ answer: verdict.accepted ? 'ok' : verdict.code }),
  ...more,
})

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

export const count = <T>(all: readonly T[], one: T): number =>
  all.filter((each) => each === one).length

/** 'done', or the code with which it was refused. */
export const refusalOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )
