/** The PIN: set, changed, guessed, asked for. */
import { expect } from 'chai'
import { expectProblem, once, quiet, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { type Answer, call } from './support/api.ts'
import {
  linkedAccount,
  merchant,
  order,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { world } from './support/world.ts'

let ben: Person
let second: SecondApi
const setTheStage = once(async () => {
  ben = await person()
  await quiet()
})

const setPin = (who: Person, body: object) => call(who, 'PUT', '/v1/pin', { body })
const guess = (who: Person, pin: string): Promise<Answer> =>
  call(who, 'POST', '/v1/payments', { body: payment(ben, '5000', { approval: { pin } }) })
const wrong = (index: number) => String(300_000 + index * 7)

async function pinRow({ id }: Person) {
  const { owner } = await world()
  return owner('pins').where({ person_id: id }).first()
}

/** That somebody tried to get in is an event, which the person reads. */
const LOCK_IS_TOLD = { except: ['events'] } as const

/** As if half an hour had passed. */
async function unlock({ id }: Person): Promise<void> {
  const { owner } = await world()
  await owner('pins')
    .where({ person_id: id })
    .update({ locked_until: new Date(Date.now() - 1) })
}

describe('setting a PIN', () => {
  before(setTheStage)
  withSecondApi((api) => (second = api))

  const BAD = [
    ...['', '12345', '1234567', '12345a', ' 27495', '274951 ', '27495\n', '-27495', '2.7495'],
    ...['٢٧٤٩٥١', '２７４９５１', '27495\u0000', 274951, null, true, ['274951'], { pin: PIN }],
  ]
  const WEAK = [
    ...['000000', '111111', '999999', '123456', '654321', '234567', '987654', '890123', '098765'],
    ...['121212', '123123', '696969', '112233', '147258', '159753', '101010', '246810'],
  ]
  it('takes six digits and nothing else', async () => {
    const ada = await person(0n, { withPin: false })
    for (const pin of BAD) {
      expectProblem(await setPin(ada, { pin }), 400, 'invalid_request')
    }
    for (const pin of BAD.filter((one) => one !== '12345')) {
      expectProblem(await setPin(ada, { pin: PIN, current_pin: pin }), 400, 'invalid_request')
    }
    expect(await pinRow(ada)).to.equal(undefined)
  })

  it('refuses one that is tried first by whoever guesses (abuse 10)', async () => {
    const ada = await person(0n, { withPin: false })
    await unchanged(async () => {
      for (const pin of WEAK) {
        const answer = await setPin(ada, { pin })
        expect(answer.status, `${pin}: ${answer.text}`).to.equal(422)
        expectProblem(answer, 422, 'weak_pin')
      }
    })
    expect(await pinRow(ada)).to.equal(undefined)
  })

  it('is done once without the PIN there is, however many try at once', async () => {
    const ada = await person(0n, { withPin: false })
    const pins = times(6, (index) => wrong(index + 1))
    const answers = await Promise.all(pins.map((pin) => setPin(ada, { pin })))
    expect(statusesOf(answers)).to.deep.equal([204, 409, 409, 409, 409, 409])
    const { hash } = await pinRow(ada)
    expectProblem(await setPin(ada, { pin: PIN }), 409, 'pin_already_set')
    expect((await pinRow(ada)).hash).to.equal(hash)
  })

  it('is changed by who knows the one there is, and then only the new one is right', async () => {
    const ada = await person(20_000n)
    const changed = await setPin(ada, { pin: '830462', current_pin: PIN })
    expect(changed.status, changed.text).to.equal(204)
    expectProblem(await guess(ada, PIN), 401, 'approval_refused')
    expect((await guess(ada, '830462')).status).to.equal(201)
  })

  it('is not changed by who guesses: those guesses count too', async () => {
    const ada = await person(20_000n)
    const { hash } = await pinRow(ada)
    for (const index of [1, 2, 3, 4, 5]) {
      const body = { pin: '830462', current_pin: wrong(index) }
      expectProblem(await setPin(ada, body), 401, 'approval_refused')
    }
    expectProblem(await setPin(ada, { pin: '830462', current_pin: PIN }), 423, 'pin_locked')
    expectProblem(await guess(ada, PIN), 423, 'pin_locked')
    expect((await pinRow(ada)).hash).to.equal(hash)
  })

  it('keeps a slow hash of it and nothing else, not even where answers are kept', async () => {
    const ada = await person()
    const { hash } = await pinRow(ada)
    expect(hash).to.match(/^\$argon2id\$v=19\$m=\d+,t=\d,p=1\$/)
    const { owner } = await world()
    const { rows } = await owner.raw(`
      SELECT string_agg(kept, ' ') AS everything FROM (
        SELECT to_json(p)::text AS kept FROM payments p UNION ALL
        SELECT data::text FROM events UNION ALL
        SELECT answer FROM claims UNION ALL
        SELECT hash FROM pins) AS rows`)
    for (const secret of ['"pin":', 'approval":{', `"${PIN}"`])
      expect(rows[0].everything).not.to.contain(secret)
  })

  it('comes before changing it, and before paying with it', async () => {
    const ada = await person(20_000n, { withPin: false })
    const body = { pin: PIN, current_pin: PIN }
    expectProblem(await setPin(ada, body), 403, 'pin_not_set')
    expectProblem(await unchanged(() => guess(ada, PIN)), 403, 'pin_not_set')
  })
})

describe('a wrong PIN', () => {
  before(setTheStage)
  withSecondApi((api) => (second = api))

  it('five times in a row locks, and then the right one does not open (abuse 8)', async () => {
    const ada = await person(20_000n)
    await unchanged(async () => {
      for (const index of times(5, (one) => one)) {
        const answer = await guess(ada, wrong(index))
        expectProblem(answer, 401, 'approval_refused')
      }
      const locked = await guess(ada, PIN)
      expectProblem(locked, 423, 'pin_locked')
      const retryAfter_s = Number(locked.headers.get('retry-after'))
      expect(retryAfter_s).to.be.within(1_700, 1_800)
      expectProblem(await guess(ada, wrong(9)), 423, 'pin_locked')
    }, LOCK_IS_TOLD)
    expect((await pinRow(ada)).failed).to.equal(5)
  })

  it('four times in a row is forgiven by a right one', async () => {
    const ada = await person(50_000n)
    for (const pins of times(2, () => [...times(4, wrong), PIN])) {
      for (const pin of pins) await guess(ada, pin)
      expect((await pinRow(ada)).failed).to.equal(0)
    }
  })

  it('is counted before it is looked at: of 200 at once, five are', async () => {
    const ada = await person(20_000n)
    const crowd = () =>
      Promise.all(
        times(200, (index) =>
          send(ada, 'POST', '/v1/payments', {
            bytes: JSON.stringify(payment(ben, '5000', { approval: { pin: wrong(index) } })),
            ...(index % 2 === 0 && { apiUrl: second.apiUrl }),
          }),
        ),
      )
    const answers = await unchanged(crowd, LOCK_IS_TOLD)
    expect(answers.filter(({ status }) => status === 401).length).to.be.within(1, 5)
    for (const { status, text } of answers) expect([401, 423, 503], text).to.include(status)
    expect((await pinRow(ada)).failed).to.equal(5)
    expectProblem(await guess(ada, PIN), 423, 'pin_locked')
  })

  it('among right ones at once moves no more money than the right ones do', async () => {
    const ada = await person(500_000n)
    const answers = await Promise.all(
      times(12, (index) => guess(ada, index % 4 === 0 ? wrong(index) : PIN)),
    )
    const paid = answers.filter(({ status }) => status === 201).length
    expect(paid).to.be.within(1, 9)
    expect(await walletBalance(ada)).to.equal(500_000n - BigInt(paid) * 5_000n)
  })

  it('gives another five when the half hour is over, and is forgiven by a right one', async () => {
    const ada = await person(20_000n)
    for (const index of times(5, (one) => one)) await guess(ada, wrong(index))
    await unlock(ada)
    const again = await Promise.all(times(4, (index) => guess(ada, wrong(index))))
    expect(statusesOf(again)).to.deep.equal(times(4, () => 401))
    expect((await guess(ada, PIN)).status).to.equal(201)
    expect(await pinRow(ada)).to.include({ failed: 0, failures: 0, locked_until: null })
  })

  it('and a right one too often, keep nobody else from paying', async () => {
    const [eve, ada] = [await person(5_000_000n), await person(20_000n)]
    const served = new AbortController()
    const crowd = times(80, async () => {
      while (!served.signal.aborted) await guess(eve, PIN)
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const answers = [await guess(ada, PIN), await guess(ada, PIN), await guess(ada, PIN)]
    served.abort()
    await Promise.all(crowd)
    expect(statusesOf(answers)).to.deep.equal([201, 201, 201])
  })

  it('is not counted by a request that is refused before it', async () => {
    const ada = await person(20_000n)
    const approval = { pin: wrong(1) }
    const refused = [
      [payment(ben, '-1', { approval }), 400],
      [payment(ben, '5000', { approval, currency: 'XXQ' }), 422],
      [payment(ben, '5000', { approval, payee: '@nobody.at.all' }), 422],
      [payment(ben, '5000', { approval, order: `ord_${'0'.repeat(26)}` }), 404],
    ] as const
    for (const [body, status] of refused) {
      const answer = await call(ada, 'POST', '/v1/payments', { body })
      expect(answer.status, answer.text).to.equal(status)
    }
    expect((await pinRow(ada)).failed).to.equal(0)
  })
})

describe('an approval', () => {
  before(setTheStage)
  withSecondApi((api) => (second = api))

  const LIMIT = 1_000
  const bare = (amount: number, more: object = {}) => {
    const { approval: _none, ...body } = payment(ben, String(amount), more)
    return body
  }

  it('is not needed up to the limit, and is needed above it', async () => {
    const ada = await person(20_000n)
    const at = await call(ada, 'POST', '/v1/payments', { body: bare(LIMIT) })
    expect(at.status, at.text).to.equal(201)
    await unchanged(async () => {
      const above = await call(ada, 'POST', '/v1/payments', { body: bare(LIMIT + 1) })
      expectProblem(above, 403, 'approval_required')
    })
  })

  it('is needed above the limit wherever money of a person moves', async () => {
    const ada = await person(20_000n)
    const [account, id] = [await linkedAccount(ada), await order(await merchant(), '1001')]
    const own = { bank_account: account, amount: '1001', currency: 'EUR' }
    const asks = [
      ['/v1/payments', { order: id, amount: '1001', currency: 'EUR' }],
      ['/v1/payments', bare(1_001, { source: account })],
      ['/v1/top_ups', own],
      ['/v1/withdrawals', own],
    ] as const
    await unchanged(async () => {
      for (const [path, body] of asks) {
        expectProblem(await call(ada, 'POST', path, { body }), 403, 'approval_required')
      }
    })
  })

  it('that is given is looked at, limit or no limit', async () => {
    const ada = await person(20_000n)
    const small = payment(ben, '1', { approval: { pin: wrong(1) } })
    await unchanged(async () => {
      expectProblem(
        await call(ada, 'POST', '/v1/payments', { body: small }),
        401,
        'approval_refused',
      )
    })
  })

  it('is an object with a PIN and nothing else', async () => {
    const ada = await person(20_000n)
    const bad = [null, {}, [], PIN, true, { pin: 274951 }, { pin: null }, { PIN }, { pin: [PIN] }]
    const more = [{ pin: PIN, skip: true }, { device: 'x' }]
    await unchanged(async () => {
      for (const approval of [...bad, ...more]) {
        const body = payment(ben, '5000', { approval })
        expectProblem(await call(ada, 'POST', '/v1/payments', { body }), 400, 'invalid_request')
      }
    })
    expect((await pinRow(ada)).failed).to.equal(0)
  })
})
