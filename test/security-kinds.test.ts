/** Each thing that somebody may have to answer for, done once, is one row of the security log. */
import { expect } from 'chai'
import { SECURITY_KINDS } from '../services/security/kinds.ts'
import { call, newKey } from './support/api.ts'
import { person } from './support/people.ts'
import { phone } from './support/phones.ts'
import { idOf, oneRowEach } from './support/security.ts'
import { BY_MERCHANTS } from './support/security-merchants.ts'
import { BY_OPERATORS } from './support/security-operators.ts'
import { BY_PEOPLE } from './support/security-people.ts'
import { world } from './support/world.ts'

/** Tried below, or by the command line in test/sealed.test.ts. */
const ELSEWHERE = ['device_bound', 'forbidden', 'data_keys_rotated']

describe('the security log has one row of', () => {
  it('each kind that there is', () => {
    const tried = [...BY_PEOPLE, ...BY_OPERATORS, ...BY_MERCHANTS].map(([kind]) => kind)
    expect([...new Set([...tried, ...ELSEWHERE])]).to.have.members(SECURITY_KINDS)
  })

  oneRowEach(BY_PEOPLE)
  oneRowEach(BY_OPERATORS)
  oneRowEach(BY_MERCHANTS)

  it('device_bound for a device, and forbidden for who asks for what they may not', async () => {
    const ada = await person()
    const { id } = await phone(ada)
    await call(ada, 'GET', '/v1/security_log')
    const { api, owner } = await world()
    const actors = [idOf(ada), api.watch.nameOf(`token https://id.example ${ada.sub}`)]
    const rows = await owner('security_log').whereIn('actor', actors).orderBy('id')
    expect(rows.map(({ kind, subject }) => [kind, subject])).to.deep.equal([
      ['pin_set', idOf(ada)],
      ['device_bound', id],
      ['forbidden', null],
    ])
  })

  it('nothing for a change that is repeated under its key', async () => {
    const ada = await person()
    const [key, body] = [newKey(), { no_pin_limit: '2', approval: { pin: '274951' } }]
    for (const status of [200, 200]) {
      const answer = await call(ada, 'PUT', '/v1/me', { body, key })
      expect(answer.status, answer.text).to.equal(status)
    }
    const { owner } = await world()
    const kind = 'no_pin_limit_changed'
    const rows = await owner('security_log').where({ kind, subject: idOf(ada) })
    expect(rows).to.have.length(1)
  })
})
