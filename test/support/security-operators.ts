/** What operators do that the security log must know of. */
import { send } from './abuse.ts'
import { call, newSubject } from './api.ts'
import { decided as decidedOn, waiting as waitingAtDesk } from './desk.ts'
import { account, move, unit } from './bulk.ts'
import { type Merchant, merchant, OPERATOR, person } from './people.ts'
import { approve, endRule, together } from './proposals.ts'
import { decide, suspect, waiting } from './reviews.ts'
import { knownAs, rule } from './risk.ts'
import { idOf, nothing, type Occasion, olga, otto, unknown } from './security.ts'
import { world } from './world.ts'
import { uuidOf } from '../../services/ids.ts'

const WHY = { reason: 'A test' }
const DAILY = {
  ...{ currency: 'EUR', frequency: 'daily', cut_off: '17:00', time_zone: 'Europe/Berlin' },
  ...{ delay_days: 1, calendar: 'target2' },
}
const PRICE = { percent: '2', fixed: '0', currency: 'EUR' }

interface Made {
  readonly id: string
}

const post = async (path: string, body: object) =>
  (await call(OPERATOR, 'POST', path, { body })).body
/** A key that operators may revoke, and its secret. */
async function newApiKey(): Promise<Made & { readonly key: string }> {
  const body = { name: 'Till', scopes: ['merchant'] }
  return (await call(await merchant(), 'POST', '/v1/api_keys', { body })).body
}
const newChatKey = async (): Promise<Made> =>
  (await together('/v1/chat_keys', { body: { name: 'Chat', scopes: ['chat'] } })).body
const staffOf = async ({ id }: Merchant): Promise<Made> =>
  (await together('/v1/staff', { body: { merchant: id, subject: newSubject('staff') } })).body
const newStaff = async () => staffOf(await merchant())
const newLimit = (): Promise<Made> =>
  post('/v1/limit_rules', { scope: 'payer', period: 'day', count_max: 1, tier: newSubject('t') })
const newStepUp = (): Promise<Made> =>
  post('/v1/step_up_rules', { kind: 'amount', tier: newSubject('t') })
const newRisk = (): Promise<Made> => rule({})
const newReview = async () => (await waiting(await suspect(5_000n), '4000')).review

async function newProposal(): Promise<string> {
  const [bank, wallet] = [await account('bank'), await account()]
  const body = { mode: 'each', units: [unit([move(bank, wallet, '10')])] }
  return (await post('/v1/ledger/bulk', body)).id
}

/** Somebody else ended the limit meanwhile. */
async function lateProposal(): Promise<string> {
  const { id } = await newLimit()
  const late = await post(`/v1/limit_rules/${id}/end`, WHY)
  await endRule(`/v1/limit_rules/${id}`)
  return late.id
}

const idAfter =
  <T extends Made>(work: (made: T) => Promise<unknown>) =>
  async (made: T) => {
    await work(made)
    return made.id
  }
const endsOf = (what: string, stage: () => Promise<Made>) =>
  olga(
    stage,
    idAfter(({ id }) => endRule(`/v1/${what}/${id}`)),
  )
const decided = (what: 'release' | 'refuse') =>
  olga(newReview, async (review) => {
    await decide(review, what)
    return review
  })
const toPerson = (
  work: (path: string, ada: Awaited<ReturnType<typeof person>>) => Promise<unknown>,
) =>
  olga(person, async (ada) => {
    await work(`/v1/people/${idOf(ada)}`, ada)
    return idOf(ada)
  })
const withKey = ({ key }: { readonly key: string }) =>
  send(undefined, 'GET', '/v1/payments', { headers: { authorization: `Bearer ${key}` } })

async function revokedKey() {
  const made = await newApiKey()
  await call(OPERATOR, 'DELETE', `/v1/api_keys/${made.id}`)
  return made
}

async function expiredKey() {
  const made = await newApiKey()
  const { owner } = await world()
  await owner('api_keys')
    .where({ id: uuidOf(made.id) })
    .update({ expires_at: new Date() })
  return made
}

const CLIENTS: readonly Occasion[] = [
  ['api_key_created', 'an API key', olga(nothing, async () => (await newChatKey()).id)],
  [
    'api_key_rotated',
    'an API key with a new secret',
    olga(
      newChatKey,
      idAfter(({ id }) => post(`/v1/chat_keys/${id}/secret`, {})),
    ),
  ],
  [
    'api_key_revoked',
    'an API key that is over',
    olga(
      newApiKey,
      idAfter(({ id }) => call(OPERATOR, 'DELETE', `/v1/api_keys/${id}`)),
    ),
  ],
  [
    'api_key_refused',
    'the use of an API key that was revoked',
    unknown(withKey, revokedKey, ({ id }) => id),
  ],
  [
    'api_key_refused',
    'the use of an API key that has expired',
    unknown(withKey, expiredKey, ({ id }) => id),
  ],
  ['staff_added', 'a member of staff', olga(merchant, async (shop) => (await staffOf(shop)).id)],
  [
    'staff_removed',
    'a member of staff who leaves',
    olga(
      newStaff,
      idAfter(({ id }) => call(OPERATOR, 'DELETE', `/v1/staff/${id}`)),
    ),
  ],
]

const RULES: readonly Occasion[] = [
  ['limit_rule_added', 'a limit', olga(nothing, async () => (await newLimit()).id)],
  ['limit_rule_ended', 'the end of a limit', endsOf('limit_rules', newLimit)],
  ['step_up_rule_added', 'a step-up rule', olga(nothing, async () => (await newStepUp()).id)],
  ['step_up_rule_ended', 'the end of a step-up rule', endsOf('step_up_rules', newStepUp)],
  ['risk_rule_added', 'a risk rule', olga(nothing, async () => (await newRisk()).id)],
  ['risk_rule_ended', 'the end of a risk rule', endsOf('risk_rules', newRisk)],
  ['review_released', 'a payment that is released', decided('release')],
  ['review_refused', 'a payment that is refused', decided('refuse')],
  [
    'settlement_schedule_created',
    'when a merchant is paid out',
    olga(
      merchant,
      async ({ id }) =>
        (await together(`/v1/merchants/${id}/settlement_schedules`, { body: DAILY })).body.id,
    ),
  ],
  [
    'holiday_added',
    'a holiday',
    olga(nothing, async () => {
      await together('/v1/holidays', {
        body: { calendar: 'target2', day: '2041-12-24', name: 'A' },
      })
      return 'target2 2041-12-24'
    }),
  ],
  [
    'fee_schedule_created',
    'a price',
    olga(
      merchant,
      async ({ id }) =>
        (await together(`/v1/merchants/${id}/fee_schedules`, { body: PRICE })).body.id,
    ),
  ],
]

const PEOPLE: readonly Occasion[] = [
  [
    'pin_taken_away',
    'a PIN reset by operators',
    toPerson((path) => together(`${path}/pin/reset`, { body: WHY })),
  ],
  [
    'sessions_revoked',
    'a person’s sessions',
    toPerson((path) => call(OPERATOR, 'POST', `${path}/sessions/revoke`)),
  ],
  [
    'sessions_revoked',
    'a subject’s tokens',
    olga(nothing, async () => {
      const subject = newSubject('gone')
      await post('/v1/revocations', { subject })
      return (await world()).api.watch.nameOf(`token https://id.example ${subject}`)
    }),
  ],
  ['tier_changed', 'another tier', toPerson((_, ada) => knownAs(ada, { tier: newSubject('t') }))],
  [
    'person_exported',
    'a person’s data',
    toPerson((path) => call(OPERATOR, 'GET', `${path}/export`)),
  ],
  [
    'person_erased',
    'a person whom operators erase',
    toPerson((path) => together(`${path}/erasure`, { body: WHY })),
  ],
]

const BY_HAND: readonly Occasion[] = [
  [
    'manual_action',
    'a frozen account',
    olga(account, async (id) => {
      const body = { debits: true, credits: false, ...WHY }
      await post(`/v1/ledger/accounts/${id}/freeze`, body)
      return id
    }),
  ],
  ['manual_action', 'a merchant', olga(nothing, async () => (await merchant()).id)],
  ['manual_action', 'a country', toPerson((_, ada) => knownAs(ada, { country: 'DE' }))],
  [
    'instruction_decided',
    'an operator’s word in the place of a bank’s',
    olga(
      waitingAtDesk,
      idAfter(({ id }) => decidedOn(id, 'rejected')),
    ),
  ],
  [
    'instruction_reopened',
    'an instruction that workers go on with',
    olga(
      waitingAtDesk,
      idAfter(({ id }) => together(`/v1/instructions/${id}/reopen`, { body: WHY })),
    ),
  ],
  [
    'bank_closed',
    'a bank that is closed',
    olga(nothing, async () => (await post('/v1/banks/south/outages', { rail: 'xx', ...WHY })).id),
  ],
  [
    'bank_opened',
    'a bank that is open again',
    olga(
      () => post('/v1/banks/south/outages', { rail: 'xx', ...WHY }),
      idAfter(({ id }) => post(`/v1/bank_outages/${id}/end`, {})),
    ),
  ],
  ['proposal_made', 'a proposal', olga(nothing, newProposal)],
  [
    'proposal_approved',
    'an agreement',
    otto(newProposal, async (id) => {
      await approve(id)
      return id
    }),
  ],
  [
    'proposal_refused',
    'a refusal',
    olga(newProposal, async (id) => {
      await post(`/v1/proposals/${id}/refuse`, WHY)
      return id
    }),
  ],
  [
    'proposal_failed',
    'a proposal that cannot be done any more',
    otto(lateProposal, async (id) => {
      await approve(id)
      return id
    }),
  ],
]

export const BY_OPERATORS = [...CLIENTS, ...RULES, ...PEOPLE, ...BY_HAND]
