/** Customers, windows and recounts of net settlement, in a currency that no other test uses. */
import { expect } from 'chai'
import type { BankReport, IncomingMoney } from '../../adapters/adapter.ts'
import { findAccounts } from '../../ledger/index.ts'
import { applyCallback } from '../../services/banking/callbacks.ts'
import { writeDown } from '../../services/banking/inbox.ts'
import { bankOwner } from '../../services/books/chart.ts'
import { DEPENDANTS } from '../../services/handlers.ts'
import { uuidOf } from '../../services/ids.ts'
import { openMetrics } from '../../services/metrics.ts'
import { advanceWindows } from '../../services/netting/advance.ts'
import { openSealing } from '../../services/seals/sealing.ts'
import { modelNets } from '../model/netting.ts'
import { times, until } from './abuse.ts'
import { call, newKey } from './api.ts'
import { ended, OPERATOR, person, PIN } from './people.ts'
import { together } from './proposals.ts'
import { NETTED, onceAWorld, OWN_ACCOUNTS, world } from './world.ts'

const { currency } = NETTED
const approval = { pin: PIN }
const counted = onceAWorld(() => ({ customers: 0 }))

/** Somebody with an account at the bank, or at several. */
export async function customer(...banks: readonly string[]) {
  const customers = (counted().customers += 1)
  const [number, holder] = [`S-${String(customers).padStart(4, '0')}`, `Customer ${customers}`]
  const who = await person()
  const accounts: Record<string, string> = {}
  for (const bank of banks) {
    const body = { bank, number, holder }
    const linked = await call(who, 'POST', '/v1/bank_accounts', { body })
    expect(linked.status, linked.text).to.equal(201)
    accounts[bank] = linked.body.id
  }
  const move = async (path: '/v1/top_ups' | '/v1/withdrawals', bank: string, amount: bigint) => {
    const bank_account = accounts[bank]
    const body = { bank_account, amount: amount.toString(), currency, approval }
    const asked = await call(who, 'POST', path, { body })
    expect(asked.status, asked.text).to.equal(202)
    const done = await ended(who, `/v1/payments/${asked.body.id}`)
    expect(done.state, path).to.equal('completed')
  }
  return {
    topUp: (bank: string, amount: bigint) => move('/v1/top_ups', bank, amount),
    withdraw: (bank: string, amount: bigint) => move('/v1/withdrawals', bank, amount),
  }
}

const sealing = onceAWorld(async () =>
  openSealing({ ...(await world()).worker, metrics: openMetrics('netting') }),
)

/** Once, or until all that is committed is sealed. */
export async function sealOnce() {
  return (await sealing()).run()
}
export async function sealAll(): Promise<void> {
  while ((await sealOnce()) === undefined);
}

/** Tells the API which accounts are ours, once; the first window is closed. */
export async function openNetting(): Promise<void> {
  for (const { bank, number, holder } of OWN_ACCOUNTS) {
    const path = `/v1/banks/${bank}/own_accounts`
    const known = await call(OPERATOR, 'GET', path)
    if (known.body.data.length > 0) continue
    const linked = await together(path, { body: { number, holder } })
    expect(linked.status, linked.text).to.equal(201)
    const { body } = await call(OPERATOR, 'GET', path)
    expect(body.data.map((one: { id: string }) => one.id)).to.deep.equal([linked.body.id])
  }
  await closed()
}

export const advance = async () => advanceWindows((await world()).worker)
export const windowsOf = async (query = '') =>
  (await call(OPERATOR, 'GET', `/v1/netting_windows?currency=${currency}&limit=100${query}`)).body
    .data
export const read = async (id: string) =>
  (await call(OPERATOR, 'GET', `/v1/netting_windows/${id}`)).body
export const close = (id: string) => call(OPERATOR, 'POST', `/v1/netting_windows/${id}/close`)
export const settle = (id: string) => together(`/v1/netting_windows/${id}/settle`, {})

/** The bank reports money that came to our account there, and we take it in. */
export async function arrive(
  bank: string,
  amount: bigint,
  words: Pick<IncomingMoney, 'remittance' | 'endToEndId'>,
): Promise<string> {
  const reference = newKey()
  await tell(bank, amount, { outcome: 'received', reference, ...words })
  return reference
}

/** What the bank says about our money, and we apply it. */
export async function tell(
  bank: string,
  amount: bigint,
  said: Omit<BankReport, 'eventId' | 'money' | 'occurredAt'> | Said,
): Promise<void> {
  const { worker } = await world()
  const event = { eventId: newKey(), money: { amount, currency }, occurredAt: new Date() }
  const { fresh } = await writeDown(worker, worker.db, { bank, source: 'callback' }, [
    { ...event, ...said },
  ])
  for (const id of fresh) await applyCallback(worker, DEPENDANTS, id)
}

type Said = Omit<IncomingMoney, 'eventId' | 'money' | 'occurredAt'>

/** Closes the open window with all that is committed, and adds it up. */
export async function closed() {
  await sealAll()
  await advance()
  const [{ id }] = await windowsOf('&state=open')
  const answer = await close(id)
  expect([answer.status, answer.body.state], answer.text).to.deep.equal([202, 'closing'])
  await advance()
  return read(id)
}

/** Settles it, and waits for the banks. */
export async function settled(id: string) {
  const answer = await settle(id)
  expect(answer.status, answer.text).to.equal(200)
  await until(async () => {
    await advance()
    return (await read(id)).state === 'settled'
  })
  return read(id)
}

export const netsOf = ({ positions }: { positions: readonly { bank: string; net: string }[] }) =>
  Object.fromEntries(positions.map(({ bank, net }) => [bank, net]))

/** What our account at the bank comes to: posted, and what is reserved to leave. */
export async function at(bank: string) {
  const { owner } = await world()
  const [found] = await findAccounts(owner, { owner: bankOwner(bank), type: 'bank', currency })
  return found?.posted ?? 0n
}

interface Shown {
  readonly id: string
  readonly number: number
  readonly from_seal: string
  readonly to_seal: string
  readonly transfers: string
  readonly positions: readonly { bank: string; received: string; paid: string; net: string }[]
}

/** From the first seal on, each window begins where the one before it ended. */
export async function expectRanges(windows: readonly Shown[]): Promise<void> {
  const inOrder = windows.toSorted((a, b) => a.number - b.number)
  expect(inOrder.map(({ number }) => number)).to.deep.equal(times(inOrder.length, (n) => n + 1))
  const ends = inOrder.map(({ to_seal }) => to_seal)
  const begins = inOrder.map(({ from_seal }) => from_seal)
  expect(begins).to.deep.equal(['0', ...ends.slice(0, -1)])
}

/** Counted again from the transfers alone, without seals; and from what each statement lists. */
export async function expectRecount(
  windows: readonly Shown[],
  banks: readonly string[],
): Promise<void> {
  const { owner } = await world()
  const { rows } = await owner.raw(
    `SELECT b.owner, t.id, e.side, t.amount
       FROM accounts b JOIN entries e ON e.account_id = b.id
       JOIN transfers t ON t.id = e.transfer_id
       JOIN accounts o ON o.id = e.other_account_id
      WHERE b.type = 'bank' AND o.type <> 'bank' AND b.currency = ?
        AND t.kind NOT IN ('pending', 'void')`,
    [currency],
  )
  const counted = new Map<string, bigint>()
  const add = (key: string, amount: bigint) => counted.set(key, (counted.get(key) ?? 0n) + amount)
  for (const { owner: bank, side, amount } of rows) add(`${bank} ${side}`, amount)

  const listed: string[] = []
  for (const window of windows) {
    const { text } = await call(OPERATOR, 'GET', `/v1/netting_windows/${window.id}/statement`)
    const lines = text.trim().split('\r\n').slice(1)
    expect(lines).to.have.length(Number(window.transfers))
    const movements = lines.map((line) => {
      const [, transfer = '', , bank = '', received = '', paid = ''] = line.split(',')
      listed.push(uuidOf(transfer))
      return { bank, amount: BigInt(received) - BigInt(paid) }
    })
    const carried = window.positions.some((one) => 'carried' in one && one.carried !== '0')
    const nets = modelNets(movements)
    if (carried) continue
    for (const { bank, net } of window.positions) expect(BigInt(net)).to.equal(nets.get(bank) ?? 0n)
  }
  const sealed = rows.map(({ id }: { id: string }) => id)
  expect(listed.toSorted()).to.deep.equal(sealed.toSorted())
  for (const bank of banks) {
    const sum = (part: 'received' | 'paid') =>
      windows
        .flatMap(({ positions }) => positions.filter((one) => one.bank === bank))
        .reduce((all, one) => all + BigInt(one[part]), 0n)
    expect(sum('received'), bank).to.equal(counted.get(`bank:${bank} debit`) ?? 0n)
    expect(sum('paid'), bank).to.equal(counted.get(`bank:${bank} credit`) ?? 0n)
  }
}
