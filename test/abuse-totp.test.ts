/** Abuse of the second factor: a code that is used again, at once or late. */
import { expect } from 'chai'
import { expectProblem, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { payment, person, PIN, walletBalance } from './support/people.ts'
import { LARGE, pay, payAt, rule, tierOf, withCode } from './support/step-up.ts'
import { codeAt, enrolled, forgetUse } from './support/totp.ts'
import { world } from './support/world.ts'

describe('abuse of a code', () => {
  it('of 100 payments with one code at once in two processes, one is made (abuse 12)', async () => {
    const [ada, ben] = [await enrolled(1_000_000n), await person()]
    await rule({ ...LARGE, tier: await tierOf(ada) })
    await forgetUse(ada)
    const { apiUrl: ours } = await world()
    const approval = withCode(ada)
    await withAnotherApi({}, async ({ apiUrl: other }) => {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          served(() => {
            const body = payment(ben, '5000', { approval })
            return payAt(index % 2 === 0 ? ours : other, ada, body)
          }),
        ),
      )
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 201)).to.have.length(1)
      expect(statuses.filter((status) => status === 401)).to.have.length(99)
    })
    expect(await walletBalance(ada)).to.equal(995_000n)
  })

  it('a code of an older step is refused after a newer one (abuse 13)', async () => {
    const [ada, ben] = [await enrolled(100_000n), await person()]
    await rule({ ...LARGE, tier: await tierOf(ada) })
    const older = codeAt(ada.secret, new Date(Date.now() - 30_000))
    expect((await pay(ada, ben, '5000', withCode(ada))).status).to.equal(201)
    const refused = await unchanged(() => pay(ada, ben, '5000', { pin: PIN, totp: older }))
    expectProblem(refused, 401, 'approval_refused')
    expect(await walletBalance(ada)).to.equal(95_000n)
  })

  it('a code that a refused payment has used stays used', async () => {
    const [ada, ben] = [await enrolled(1_000n), await person()]
    await rule({ ...LARGE, tier: await tierOf(ada) })
    const approval = withCode(ada)
    expectProblem(await pay(ada, ben, '5000', approval), 402, 'insufficient_funds')
    expectProblem(await pay(ada, ben, '5000', approval), 401, 'approval_refused')
  })
})

/** Asks again for as long as too many others do: PINs are checked by few at a time. */
async function served<T extends { readonly status: number }>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const answer = await ask()
    if (answer.status !== 503) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('never served')
}
