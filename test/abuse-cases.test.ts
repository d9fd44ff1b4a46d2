/** The list of abuse cases is whole, and the cases that no other file is about. */
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { openLog } from '../services/log.ts'
import { modelPrice, simple } from './model/fees.ts'
import { CASES, shown } from './support/abuse-cases.ts'
import { expectProblem, quiet, send, times, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, newSubject } from './support/api.ts'
import { account, balance, bulk, move, statesOf, unit } from './support/bulk.ts'
import { factsWith } from './support/fees.ts'
import { payOrder } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  merchantBalance,
  order,
  payment,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000

describe('the list of abuse cases', () => {
  const rows = CASES.map(({ row }) => row)
  const tests = shown()
  const of = (row: number) => tests.filter((one) => one.rows.includes(row))

  it('has all of them, each once, in order', () => {
    expect(rows).to.deep.equal(times(78, (index) => index + 1))
    expect(tests.length).to.be.greaterThan(90)
  })

  it('has a test for each that can happen, and none that is not on it', () => {
    for (const { row, answer, missing } of CASES) {
      expect(of(row).length > 0, `abuse ${row}`).to.equal(answer !== '')
      if (answer === '') expect(missing, `abuse ${row}`).to.be.a('string')
    }
    const strange = tests.flatMap((one) => one.rows).filter((row) => !rows.includes(row))
    expect(strange).to.deep.equal([])
  })

  it('has a test for each by which the books are unchanged, or says what else they show', () => {
    for (const { row, answer, books } of CASES.filter((one) => one.answer !== '')) {
      const compared = of(row).some(({ text }) => text.includes('unchanged('))
      expect(compared || books !== undefined, `abuse ${row}: ${answer}`).to.equal(true)
    }
  })
})

describe('a clock of ours that jumps', () => {
  before(quiet)

  for (const [way, ms] of Object.entries({ ahead: DAY_MS, back: -DAY_MS })) {
    it(`a day ${way} refuses tokens, and believes none it should not (abuse 5, 76)`, async () => {
      const [ada, ben] = await Promise.all([person(5_000n), person()])
      const bytes = JSON.stringify(payment(ben, '100'))
      const pay = ({ apiUrl }: { apiUrl: string }) =>
        send(ada, 'POST', '/v1/payments', { bytes, apiUrl })
      const now = () => new Date(Date.now() + ms)
      const answer = await unchanged(() => withAnotherApi({}, pay, now))
      expectProblem(answer, 401, 'invalid_token')
    })
  }
})

describe('a payment cut into many', () => {
  it('pays no less than one: the fees are the schedule’s, one by one (abuse 29)', async () => {
    const fees = { percent: '1.4', fixed: '25', tax_percent: '19' }
    const [ada, shop] = await Promise.all([person(20_000n), merchant(fees)])
    const model = simple('1.4', 25n, '19')
    const amounts = [5_000n, ...times(10, () => 500n)]
    for (const amount of amounts) {
      const paid = await payOrder(ada, await order(shop, `${amount}`), `${amount}`)
      expect(paid.status, paid.text).to.equal(201)
    }
    const nets = amounts.map((amount) => modelPrice(model, factsWith({ amount }))?.net ?? 0n)
    expect(await merchantBalance(shop)).to.equal(nets.reduce((sum, net) => sum + net, 0n))
    expect(await walletBalance(ada)).to.equal(10_000n)
    const { owner } = await world()
    const { rows } = await owner.raw(
      `SELECT sum(fee + tax)::text AS charged, (SELECT sum(l.amount)::text FROM fee_lines l
         JOIN payments p ON p.id = l.payment_id WHERE payee_id = :shop) AS lines
         FROM payments WHERE payee_id = :shop`,
      { shop: uuidOf(shop.id) },
    )
    const charged = amounts.reduce((sum, one) => sum + one, 0n) - (await merchantBalance(shop))
    expect(rows[0]).to.deep.equal({ charged: `${charged}`, lines: `${charged}` })
    // Cut as small as can be there is nothing left to charge from, so it cannot be asked for.
    const tiny = { reference: newSubject('r'), description: 'A bit', amount: '1', currency: 'EUR' }
    const refused = await unchanged(() => call(shop, 'POST', '/v1/orders', { body: tiny }))
    expectProblem(refused, 422, 'fee_exceeds_amount')
  })
})

describe('money that goes round in circles', () => {
  it('is where it was, and to oneself it cannot go at all (abuse 30)', async () => {
    const [bank, a, b, c] = [
      await account('bank'),
      ...(await Promise.all(times(3, () => account()))),
    ]
    const accounts = [a, b, c] as [string, string, string]
    await bulk('atomic', [unit([move(bank, accounts[0], '100')])])
    const circle = accounts.map((from, at) => move(from, accounts[(at + 1) % 3] ?? '', '100'))
    const round = await bulk('atomic', [unit(circle), ...circle.map((one) => unit([one]))])
    expect(statesOf(round)).to.deep.equal(times(4, () => 'accepted'))
    expect(await Promise.all(accounts.map(balance))).to.deep.equal([100n, 0n, 0n])
    const itself = () => bulk('each', [unit([move(accounts[0], accounts[0], '1')])])
    const refused = await unchanged(itself, { except: ['claims', 'proposals', 'events'] })
    expect(statesOf(refused)).to.deep.equal(['same_account'])
  })
})

describe('a text made for the log', () => {
  const FORGED = 'A\r\n{"level":30,"msg":"paid"}\u001B[2K\u2028'

  it('is refused, and a line of the log stays one line (abuse 33)', async () => {
    const [ada, ben] = await Promise.all([person(5_000n), person()])
    const body = payment(ben, '100', { note: FORGED })
    const answer = await unchanged(() => call(ada, 'POST', '/v1/payments', { body }))
    expectProblem(answer, 400, 'invalid_request')
    const lines: string[] = []
    const log = openLog({ level: 'info', name: 'test' }, { write: (line) => void lines.push(line) })
    log.info({ route: FORGED, [FORGED]: 1, err: new Error(FORGED) }, FORGED)
    expect(lines).to.have.length(1)
    for (const byte of ['\r', '\u001B']) expect(lines[0]).not.to.contain(byte)
    expect(lines[0]?.indexOf('\n')).to.equal((lines[0]?.length ?? 0) - 1)
    expect(JSON.parse(lines[0] ?? '')).to.deep.include({ msg: FORGED, route: FORGED })
  })
})

describe('who pays somebody', () => {
  it('learns nothing of what they have (abuse 37)', async () => {
    const [ada, ben] = await Promise.all([person(5_000n), person(7_654_321n)])
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    expect(paid.status, paid.text).to.equal(201)
    const paths = [`/v1/payments/${paid.body.id}`, '/v1/payments', `/v1/payees/${ben.sub}`]
    const texts = await unchanged(() =>
      Promise.all(paths.map(async (path) => (await call(ada, 'GET', path)).text)),
    )
    for (const text of [paid.text, ...texts]) {
      expect(text).not.to.match(/7654321|7654421|balance|available|posted|hash|failed/)
    }
  })
})

describe('a payment that never was', () => {
  it('is not reversed: the bank had refused it (abuse 55)', async () => {
    const ada = await person()
    const body = {
      ...{ bank_account: await linkedAccount(ada), amount: '591', currency: 'EUR' },
      approval: { pin: PIN },
    }
    const asked = await call(ada, 'POST', '/v1/top_ups', { body })
    const { state } = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect(state).to.equal('failed')
    await quiet()
    const reversal = { payment: asked.body.id, reason: 'I want it back' }
    const answer = await unchanged(() => together('/v1/ledger/reversals', { body: reversal }), {
      except: ['claims', 'proposals', 'events'],
    })
    expectProblem(answer, 409, 'payment_not_completed')
  })
})
