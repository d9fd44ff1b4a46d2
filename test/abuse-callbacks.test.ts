/**
 * True callbacks sent too often, and signed ones that contradict each other: the books stay right.
 */
import { expect } from 'chai'
import { instructionOf, quiet, times, unchanged, until } from './support/abuse.ts'
import {
  alertsOf,
  bankAlertsOf,
  bookedAt,
  deliver,
  deliverCopies,
  dispositionsOf,
  type Open,
  openTopUp,
  report,
  resolutionsOf,
} from './support/abuse-callbacks.ts'
import { call } from './support/api.ts'
import { ended, OPERATOR, walletBalance } from './support/people.ts'
import { world } from './support/world.ts'

const opened: Open[] = []

async function open(digits?: string): Promise<Open> {
  const one = await openTopUp(digits)
  opened.push(one)
  return one
}

const stateOf = async ({ payment }: Open): Promise<string> => (await instructionOf(payment)).state
const balanceOf = ({ who }: Open) => walletBalance(who)
const heard = (one: Open, count: number) =>
  until(async () => {
    const found = await dispositionsOf(one)
    return found.length === count && !found.includes('received')
  })

describe('a true callback', () => {
  before(quiet)

  it('that comes a thousand times at once is applied once (abuse 51, 70)', async () => {
    const one = await open()
    const text = report(one)
    expect(new Set(await deliverCopies(text, 1_000))).to.deep.equal(new Set([200]))
    expect((await ended(one.who, `/v1/payments/${one.payment}`)).state).to.equal('completed')
    await heard(one, 1)
    const { owner } = await world()
    // Or an enquiry was answered first, and all of the callback is a copy of that.
    const applied = { reference: one.reference, disposition: 'applied' }
    expect(await owner('callbacks').where(applied)).to.have.length(1)
    expect(await resolutionsOf(one)).to.deep.equal(['post'])
    expect(await balanceOf(one)).to.equal(BigInt(one.amount))
    await unchanged(() => deliver(text))
  })

  it('that comes under twenty names at once is applied once', async () => {
    const one = await open()
    await Promise.all(times(20, () => deliver(report(one))))
    await heard(one, 20)
    expect(await dispositionsOf(one)).to.deep.equal(['applied', ...times(19, () => 'duplicate')])
    expect(await resolutionsOf(one)).to.deep.equal(['post'])
    expect(await balanceOf(one)).to.equal(BigInt(one.amount))
    expect(await alertsOf(one)).to.deep.equal([])
  })

  it('is not undone by another event that borrows its id', async () => {
    const one = await open()
    const settled = report(one)
    await deliver(settled)
    await heard(one, 1)
    const { event_id } = JSON.parse(settled)
    const borrowed = report(one, { event_id, outcome: 'returned', reason: 'AC06' })
    const work = async () => {
      for (const text of [borrowed, borrowed]) expect((await deliver(text)).status).to.equal(200)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    await unchanged(work, { except: ['events'] })
    expect(await stateOf(one)).to.equal('settled')
    expect(await bankAlertsOf(one)).to.deep.equal(['other_contents'])
  })

  for (const moment of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
    it(`about a moment no clock has seen is applied or refused: ${moment}`, async () => {
      const one = await open()
      const answer = await deliver(report(one, { occurred_at: moment }))
      if (answer.status === 400) return
      await heard(one, 1)
      expect(await dispositionsOf(one)).to.deep.equal(['applied'])
    })
  }
})

describe('a callback that contradicts another', () => {
  before(quiet)

  it('is set aside: what was settled is not rejected afterwards (abuse 71)', async () => {
    const one = await open()
    await deliver(report(one))
    await heard(one, 1)
    const rejections = times(5, () => report(one, { outcome: 'rejected', reason: 'AC04' }))
    const work = async () => {
      await Promise.all(rejections.map((text) => deliver(text)))
      await heard(one, 6)
    }
    await unchanged(work, { except: ['callbacks', 'events'] })
    expect(await dispositionsOf(one)).to.deep.equal(['applied', ...times(5, () => 'contradiction')])
    expect(await alertsOf(one)).to.deep.equal(times(5, () => 'rejected_after_settled'))
    expect(await stateOf(one)).to.equal('settled')
  })

  it('is set aside: what was rejected is not settled or returned later (abuse 71)', async () => {
    const one = await open('91')
    await until(async () => (await stateOf(one)) === 'rejected')
    const work = async () => {
      await deliver(report(one))
      await deliver(report(one, { outcome: 'returned', reason: 'AC06' }))
      await heard(one, 3)
    }
    await unchanged(work, { except: ['callbacks', 'events'] })
    expect((await alertsOf(one)).sort()).to.deep.equal([
      'returned_after_rejected',
      'settled_after_rejected',
    ])
    expect(await resolutionsOf(one)).to.deep.equal(['void'])
  })

  it('is set aside: what was returned is not returned again, nor rejected (abuse 71)', async () => {
    const one = await open('98')
    await until(async () => (await stateOf(one)) === 'returned')
    const work = async () => {
      await deliver(report(one, { outcome: 'returned', reason: 'AC06' }))
      await deliver(report(one, { outcome: 'rejected', reason: 'AC04' }))
      await heard(one, 4)
    }
    await unchanged(work, { except: ['callbacks', 'events'] })
    expect(await alertsOf(one)).to.deep.equal(['rejected_after_returned'])
    expect(await balanceOf(one)).to.equal(0n)
  })

  it('is not taken for a copy: what was settled was not settled with other money', async () => {
    const one = await open()
    await deliver(report(one))
    await heard(one, 1)
    const work = async () => {
      await deliver(report(one, { amount: '791' }))
      await heard(one, 2)
    }
    await unchanged(work, { except: ['callbacks', 'events'] })
    expect(await dispositionsOf(one)).to.deep.equal(['applied', 'contradiction'])
    expect(await alertsOf(one)).to.have.length(1)
  })

  it('is given to a person, when it tells of other money than asked for (abuse 74)', async () => {
    const lies = [{ amount: '791' }, { amount: '793' }, { currency: 'USD' }]
    await Promise.all(
      lies.map(async (lie) => {
        const one = await open()
        await deliver(report(one, lie))
        await heard(one, 1)
        expect(await stateOf(one)).to.equal('manual')
        expect(await resolutionsOf(one)).to.deep.equal([])
        expect(await alertsOf(one)).to.deep.equal(['amount_mismatch'])
        expect(await balanceOf(one)).to.equal(0n)
        // The right word comes later, and is believed.
        await deliver(report(one))
        expect((await ended(one.who, `/v1/payments/${one.payment}`)).state).to.equal('completed')
        expect(await balanceOf(one)).to.equal(BigInt(one.amount))
      }),
    )
  })
})

describe('after all of that', () => {
  before(quiet)

  it('the bank has booked exactly what the books say it has', async () => {
    const { owner } = await world()
    const executed = async () => {
      const [booked, rows] = [
        await bookedAt('south'),
        await owner('instructions').whereIn(
          'id',
          opened.map(({ id }) => id),
        ),
      ]
      return rows.every(({ reference, state, amount }) => {
        const sum = (booked.get(reference) ?? []).reduce((total, one) => total + one, 0n)
        return sum === (state === 'settled' ? amount : 0n)
      })
    }
    expect(await executed()).to.equal(true)
    const { body } = await call(OPERATOR, 'GET', '/v1/ledger/proof')
    expect(body.proven).to.equal(true)
  })
})
