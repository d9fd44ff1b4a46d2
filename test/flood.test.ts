/** What is counted among everybody's wrong PINs: nobody alone may keep all others out. */
import { expect } from 'chai'
import { expectProblem } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { newKey } from './support/api.ts'
import { newAddress, sendFrom } from './support/from.ts'
import { payment, type Person, person } from './support/people.ts'
import { encrypted, paymentOf, phone } from './support/phones.ts'
import { wrong } from './support/pins.ts'
import { world } from './support/world.ts'

/** As it is without a word about it. */
const SPRAY = { SPRAY_FAILURES_PER_ADDRESS_HOUR: 20, SPRAY_FAILURES_GLOBAL_MINUTE: 1_000_000 }

describe('what is counted among everybody’s', () => {
  let one: SecondApi
  withSecondApi(
    (api) => (one = api),
    () => SPRAY,
  )

  /** How many have been counted within the last two minutes: one may end meanwhile. */
  async function counted(): Promise<number> {
    const { owner } = await world()
    const rows = await owner('pin_failures')
      .where({ address: Buffer.alloc(0) })
      .where('minute', '>', new Date(Date.now() - 120_000))
    return rows.reduce((sum, { failures }) => sum + failures, 0)
  }
  const countedBy = async (work: () => Promise<unknown>) => {
    const before = await counted()
    await work()
    return (await counted()) - before
  }

  it('is nothing that was never compared: what cannot be read, what nobody signed', async () => {
    const [ada, ben, address] = [await person(20_000n), await person(), newAddress()]
    const pay = async (approval: object) => {
      const headers = { 'idempotency-key': newKey() }
      const asked = { apiUrl: one.apiUrl, address, headers }
      const body = payment(ben, '5000', { approval })
      expectProblem(
        await sendFrom({ ...asked, body }, ada, 'POST', '/v1/payments'),
        401,
        'approval_refused',
      )
    }
    const { agree } = await phone(ben)
    const key = newKey()
    const foreign = await agree(paymentOf(ben, '5000'), key)
    const [head, , , , tag] = (await encrypted(ada, paymentOf(ben, '5000'), key)).pin_jwe.split('.')
    const garbage = { pin_jwe: [head, '', 'AAAAAAAAAAAAAAAA', 'AAAA', tag].join('.') }
    expect(
      await countedBy(async () => {
        for (const approval of [foreign, garbage]) await pay(approval)
      }),
    ).to.equal(0)
  })

  it('is each person once a minute: nobody alone keeps all others out', async () => {
    const [ada, ben] = [await person(), await person()]
    const guesses = async (who: Person) => {
      for (const index of [1, 2, 3]) {
        const asked = { apiUrl: one.apiUrl, address: newAddress(), body: { pin: wrong(index) } }
        await sendFrom(asked, who, 'POST', '/v1/pin/verify')
      }
    }
    // As a minute may end meanwhile there may be two.
    expect(await countedBy(() => guesses(ada))).to.be.within(1, 2)
    expect(await countedBy(() => guesses(ben))).to.be.within(1, 2)
  })
})
