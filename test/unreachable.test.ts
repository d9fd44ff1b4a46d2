/** What a bank says counts, even when the account it concerns can take part no more. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { findInstruction } from '../services/banking/instructions.ts'
import { resolve } from '../services/banking/resolve.ts'
import { bankAccountsOf, walletOf } from '../services/books/chart.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { call } from './support/api.ts'
import { linkedAccount, OPERATOR, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

const REASON = { reason: 'a test' }

/** A withdrawal of everything that the bank has not spoken about: ends in 92, so it never will. */
async function withdrawal() {
  const { worker, owner } = await world()
  const ada = await person(192n)
  const body = {
    ...{ bank_account: await linkedAccount(ada, 'east'), amount: '192', currency: 'EUR' },
    approval: { pin: PIN },
  }
  const { body: payment } = await call(ada, 'POST', '/v1/withdrawals', { body })
  const account = publicId('acc', await walletOf(worker, ada.id, 'EUR'))
  const instruction = () =>
    findInstruction(owner, { purpose: 'withdrawal', subject_id: uuidOf(payment.id) })
  const suspense = async () => {
    const { suspense: id } = await bankAccountsOf(worker, 'east', 'EUR')
    const row = await owner('accounts').where({ id }).first()
    return row.credits_posted - row.debits_posted
  }
  const say = async (outcome: 'rejected' | 'settled' | 'returned') => {
    const found = await instruction()
    if (found === undefined) throw new Error('there is no instruction')
    const { reference, money } = found
    const report = { eventId: newId(), reference, outcome, money, occurredAt: new Date() }
    return resolve(worker, DEPENDANTS, found, report)
  }
  const ask = (what: string, more: object = {}) =>
    call(OPERATOR, 'POST', `/v1/ledger/accounts/${account}/${what}`, {
      body: { ...REASON, ...more },
    })
  return { ada, payment, instruction, suspense, say, ask }
}

describe('money that a bank sends back to an account that is out of reach', () => {
  for (const [state, what, more] of [
    ['closed', 'close', {}],
    ['frozen', 'freeze', { debits: true, credits: true }],
  ] as const) {
    for (const words of [['rejected'], ['settled', 'returned']] as const) {
      it(`waits in suspense: it is ${state}, the bank says ${words.join(', ')}`, async () => {
        const { ada, payment, instruction, suspense, say, ask } = await withdrawal()
        const before = await suspense()
        const asked = await ask(what, more)
        expect(asked.status, asked.text).to.equal(200)
        for (const word of words) expect(await say(word)).to.equal('applied')
        expect((await suspense()) - before).to.equal(192n)
        const { body } = await call(ada, 'GET', `/v1/payments/${payment.id}`)
        expect(body.state).to.equal(words.length === 1 ? 'failed' : 'completed')
        const found = await instruction()
        expect(found?.state).to.equal(words.at(-1))
        const { owner } = await world()
        const object_id = publicId('ins', found?.id ?? '')
        const event = await owner('events').where({ object_id, type: 'instruction.manual' }).first()
        expect(event?.data.reason).to.equal(`account_${state}`)
      })
    }
  }
})
