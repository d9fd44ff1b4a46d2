/**
 * A bank that takes files, with the processes as they are deployed: orders go out, news comes in,
 * and workers are killed in between. In the end the bank's own log, its statement, the instructions
 * and the books say the same to the cent. RUN_LONG=1 kills more of them, and at random too.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { audit } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { until } from './support/abuse.ts'
import { newSubject, type Who } from './support/api.ts'
import {
  BANK,
  CUSTOMER,
  type FileTown,
  filesIn,
  openFileTown,
  PATIENCE_MS,
} from './support/file-town.ts'
import { OPERATOR, PIN } from './support/people.ts'
import { judgeBank, readBank, readBankLog } from './torture/agree.ts'

const IS_LONG = process.env['RUN_LONG'] !== undefined
const approval = { pin: PIN }

/** What the bank makes of an amount; some are told thrice, or after a file of rubbish. */
const OUTCOMES: Readonly<Record<string, string>> = {
  ...{ '1200': 'settled', '1291': 'rejected', '1298': 'returned', '1293': 'settled' },
  ...{ '1295': 'settled', '1296': 'settled' },
}
const TOP_UP = 200_000n
const ROUNDS = IS_LONG ? 4 : 1

/** What takes seconds is not looked at all the time: others run beside us. */
const patiently = (check: () => Promise<boolean>) =>
  until(async () => {
    await pause(200)
    return check()
  }, PATIENCE_MS)

describe('a bank that takes files, and workers that are killed', function () {
  this.timeout(IS_LONG ? 600_000 : 120_000)
  const ada: Who = { sub: newSubject(), scope: 'person' }
  let town: FileTown
  let bank_account: string
  const expected = new Map<string, string>()

  before(async () => {
    town = await openFileTown()
    await town.ask(ada, 'PUT', '/v1/pin', { pin: PIN })
    const linked = await town.ask(ada, 'POST', '/v1/bank_accounts', { bank: BANK, ...CUSTOMER })
    bank_account = linked.id
  })
  after(() => town.close())

  const begin = async (path: '/v1/top_ups' | '/v1/withdrawals', amount: string) => {
    const body = { bank_account, amount, currency: 'EUR', approval }
    const { id } = await town.ask(ada, 'POST', path, body)
    expected.set(uuidOf(id), OUTCOMES[amount] ?? 'settled')
  }
  const withdrawAll = async () => {
    await Promise.all(Object.keys(OUTCOMES).map((amount) => begin('/v1/withdrawals', amount)))
  }
  const states = (): Promise<string[]> => town.db('instructions').orderBy('id').pluck('state')
  /** Everything has gone out, and nobody is about to hand over anything. */
  const areOut = () =>
    patiently(async () => {
      const open = town.db('instruction_batches').whereNot({ state: 'handed_over' })
      return !(await states()).includes('created') && (await open.first()) === undefined
    })
  const areFinal = () =>
    patiently(async () =>
      (await states()).every((one) => /^(settled|rejected|returned)$/.test(one)),
    )
  const lease = () => town.db('bank_collections').where({ bank: BANK }).first()
  /** Nobody has it for longer than a moment, or everybody who had it is dead. */
  const isFree = async () => (await lease()).leased_until <= new Date()

  /** One dies while it writes down a file, and its lease keeps the other one away from the rest. */
  async function killWhileItFetches() {
    const victim = await town.killAt('bank_files', async () => true)
    const [held, known] = [await lease(), (await town.db('bank_files')).length]
    if (IS_LONG) {
      // Meanwhile files go out, and whoever hands them over dies next.
      await withdrawAll()
      await areOut()
      victim.other.kill()
    }
    await patiently(async () => (await lease()).lease > held.lease)
    const later = await town.db('bank_files').orderBy('id').offset(known)
    for (const { received_at: at } of later) expect(at).to.be.at.least(held.leased_until)
  }

  it('loses and doubles nothing of what is collected, paid, rejected and returned', async () => {
    await begin('/v1/top_ups', TOP_UP.toString())
    await areFinal()
    for (let round = 1; round <= ROUNDS; round += 1) {
      await withdrawAll()
      await killWhileItFetches()
      if (!IS_LONG) continue
      await withdrawAll()
      await town.killAt('transfers', isFree)
      await withdrawAll()
      for (const worker of [...town.workers, ...town.workers]) {
        await pause(randomInt(3_000))
        worker.kill()
      }
    }
    await areFinal()
    const starts = town.workers.map((one) => one.starts().length)
    expect(Math.max(...starts)).to.be.greaterThan(1)
  })

  it('has given each file to the bank once, and each instruction in one of them', async () => {
    const left = () =>
      Promise.all(['out', 'in', 'reading'].map((folder) => filesIn(town.folder, folder)))
    await patiently(async () => (await left()).flat().length === 0)
    // Its library waits while it is loaded, and whatever imports it is loaded beside the hooks.
    const { textsAt } = await import('./support/iso20022-schemas.ts')
    const batches = await town.db('instruction_batches').pluck('reference')
    const taken = await filesIn(`${town.journalFile}.files`, 'taken')
    const ids = taken.map(({ text }) => textsAt(text, '//d:GrpHdr/d:MsgId')[0]?.[0])
    expect(ids).to.have.members(batches)
    const orders = taken.flatMap(({ text }) => textsAt(text, '//d:PmtId/d:EndToEndId')[0] ?? [])
    expect(orders).to.have.members(await town.db('instructions').pluck('reference'))
    // A bank confirms a file as often as it comes.
    const confirmed = (await filesIn(town.folder, 'processed'))
      .filter(({ name }) => name.startsWith('pain002'))
      .filter(({ text }) => text.includes('<GrpSts>ACTC'))
    const named = confirmed.map(({ text }) => textsAt(text, '//d:OrgnlMsgId')[0]?.[0])
    expect(named).to.have.members(batches)
    const useless = (await filesIn(town.folder, 'failed')).map(({ name }) => name.split('-')[0])
    expect(new Set(useless)).to.deep.equal(new Set(['cut', 'page']))
  })

  it('ends in the same sums in the bank’s log, its statement and the books', async () => {
    const instructions = await town.db('instructions')
    const became = instructions.map(({ subject_id, state }) => [subject_id, state] as const)
    expect(became).to.have.deep.members([...expected])
    const log = readBankLog(town.journalFile)
    expect(judgeBank(await readBank(town.db, BANK), log)).to.deep.equal([])
    expect((await audit(town.db)).violations).to.deep.equal([])
    const paid = instructions
      .filter(({ state, direction }) => state === 'settled' && direction === 'credit')
      .reduce((sum, { amount }) => sum + amount, 0n)
    const [wallet] = (await town.ask(ada, 'GET', '/v1/accounts')).data
    expect(wallet.posted.amount).to.equal((TOP_UP - paid).toString())

    await town.bank.closeDay()
    const path = `/v1/banks/${BANK}/reconciliations`
    const { id } = await town.ask(OPERATOR, 'POST', path, {})
    const read = () => town.ask(OPERATOR, 'GET', `/v1/reconciliations/${id}`)
    await patiently(async () => (await read()).state === 'completed')
    const { balances } = await read()
    expect(balances).to.have.length(1)
    expect(balances[0]).to.deep.include({ agrees: true, open_items: 0 })
    expect(balances[0].statement.amount).to.equal((TOP_UP - paid).toString())
  })
})
