/** A valid body for every call that takes one, beside those that take an amount. */
import { newId } from '../../ledger/index.ts'
import { type Kind, publicId } from '../../services/ids.ts'
import { unit } from './bulk.ts'
import { newRate } from './exchange.ts'
import { type Merchant, OPERATOR, type Person, PIN } from './people.ts'
import { newRule } from './risk.ts'

/** The kinds of ids in paths, where it is no payment's. */
const KINDS = {
  // Before those whose names end it.
  bank_accounts: 'bac',
  ...{ accounts: 'acc', limit_rules: 'lim', merchants: 'mer', people: 'per', reviews: 'rev' },
  ...{ proposals: 'prp', risk_rules: 'rsk', step_up_rules: 'sur', instructions: 'ins' },
  ...{ incoming_money: 'inc', reconciliation_items: 'rci', orders: 'ord', fee_schedules: 'fee' },
  ...{ webhook_endpoints: 'whe', refunds: 'rfd', 'v1/disputes': 'dsp', recalls: 'rcl' },
} as const satisfies Record<string, Kind>
/** The path with an id that nobody has. */
export const nobodys = (path: string) =>
  Object.entries(KINDS).reduce<string>(
    (url, [name, kind]) => url.replace(`${name}/:id`, `${name}/${publicId(kind, newId())}`),
    path.replace('/:bank/', '/north/'),
  )

const WHY = { reason: 'A test' }
const DAILY = {
  ...{ currency: 'EUR', frequency: 'daily', cut_off: '17:00', time_zone: 'Europe/Berlin' },
  ...{ delay_days: 1, calendar: 'target2' },
}
const LATER = '2099-01-01T00:00:00.000Z'
const CLOSING = { through: '2026-01-31T23:59:59.999Z', ...WHY }

interface Cast {
  readonly ada: Person
  readonly ben: Person
  readonly shop: Merchant
  /** A payment that the shop may capture. */
  readonly held: string
}

export const bodiesOf = ({ ada, ben, shop, held }: Cast) => ({
  'POST /v1/bank_accounts': [ada, { bank: 'north', number: 'T-0998', holder: 'Customer 998' }],
  'POST /v1/bank_accounts/:id/confirm': [ada, { name_at_bank: null, approval: { pin: PIN } }],
  'POST /v1/settlements': [shop, { currency: 'EUR' }],
  'POST /v1/merchants': [OPERATOR, newMerchant()],
  'POST /v1/fx_rates': [OPERATOR, newRate('EUR', 'MAD', '10.8')],
  'POST /v1/fx_quotes': [ada, { sell: 'EUR', buy: 'MAD', amount: '100', side: 'sell' }],
  'POST /v1/exchanges': [ada, { quote: `fxq_0${'1'.repeat(25)}`, approval: { pin: PIN } }],
  'POST /v1/payments/:id/refunds': [shop, { amount: '100', reason: 'A test' }],
  'POST /v1/payments/:id/capture': [shop, { amount: '100', final: true }],
  'POST /v1/banks/:bank/outages': [OPERATOR, WHY],
  'POST /v1/banks/:bank/own_accounts': [OPERATOR, { number: 'OWN-0001', holder: 'Florin' }],
  'POST /v1/banks/:bank/reconciliations': [OPERATOR, { source: 'bank' }],
  'POST /v1/incoming_money/:id/return': [OPERATOR, { note: 'A test' }],
  'POST /v1/incoming_money/:id/match': [OPERATOR, { person: publicId('per', newId()) }],
  'POST /v1/instructions/:id/recalls': [OPERATOR, { reason: 'DUPL', note: 'A test' }],
  'POST /v1/reconciliation_items/:id/resolve': [OPERATOR, { how: 'correct', ...WHY }],
  'POST /v1/recalls/:id/resolve': [OPERATOR, { outcome: 'refused', evidence: 'A letter' }],
  'POST /v1/instructions/:id/reopen': [OPERATOR, WHY],
  'POST /v1/instructions/:id/resolve': [OPERATOR, { outcome: 'settled', evidence: 'A letter' }],
  'POST /v1/ledger/accounts/:id/freeze': [OPERATOR, { debits: true, credits: false, ...WHY }],
  'POST /v1/ledger/accounts/:id/close': [OPERATOR, WHY],
  'POST /v1/ledger/accounts/:id/periods': [OPERATOR, CLOSING],
  'PUT /v1/ledger/accounts/:id/metadata': [OPERATOR, { metadata: {}, ...WHY }],
  'POST /v1/limit_rules': [OPERATOR, { scope: 'payer', period: 'day', count_max: 1, tier: 'x' }],
  'POST /v1/limit_rules/:id/end': [OPERATOR, WHY],
  'POST /v1/step_up_rules': [OPERATOR, { kind: 'amount', tier: 'x' }],
  'POST /v1/step_up_rules/:id/end': [OPERATOR, { valid_to: CLOSING.through, ...WHY }],
  'POST /v1/risk_rules/:id/end': [OPERATOR, WHY],
  'POST /v1/people/:id/erasure': [OPERATOR, WHY],
  'POST /v1/people/:id/pin/reset': [OPERATOR, WHY],
  'POST /v1/totp': [ada, { approval: { pin: PIN } }],
  'POST /v1/totp/confirm': [ada, { code: '123456' }],
  'POST /v1/totp/recovery_codes': [ada, { approval: { pin: PIN, totp: '123456' } }],
  'DELETE /v1/totp': [ada, { approval: { pin: PIN, totp: '123456' } }],
  'POST /v1/ledger/bulk': [OPERATOR, { mode: 'each', units: [unit([])] }],
  'POST /v1/ledger/reversals': [OPERATOR, { payment: held, reason: 'A mistake' }],
  'POST /v1/devices': [ada, newDevice()],
  'PUT /v1/me': [ada, { no_pin_limit: '1' }],
  'POST /v1/risk_rules': [OPERATOR, newRule({})],
  'POST /v1/reviews/:id/release': [OPERATOR, WHY],
  'POST /v1/reviews/:id/refuse': [OPERATOR, WHY],
  'PUT /v1/people/:id': [OPERATOR, { tier: 'basic', country: 'DE', ...WHY }],
  'PUT /v1/merchants/:id': [OPERATOR, { country: 'DE' }],
  'POST /v1/merchants/:id/settlement_schedules': [OPERATOR, DAILY],
  'POST /v1/holidays': [OPERATOR, { calendar: 'target2', day: '2030-12-24', name: 'A test' }],
  'POST /v1/merchants/:id/activate': [OPERATOR, WHY],
  'POST /v1/merchants/:id/return': [OPERATOR, WHY],
  'POST /v1/merchants/:id/suspend': [OPERATOR, WHY],
  'POST /v1/orders/:id/status': [shop, { status: 'shipped', description: 'On its way' }],
  'POST /v1/merchants/:id/fee_schedules': [OPERATOR, newMerchant().fees],
  'POST /v1/fee_schedules': [OPERATOR, { ...newMerchant().fees, merchant: shop.id }],
  'POST /v1/fee_schedules/:id/activate': [OPERATOR, { valid_from: LATER }],
  'POST /v1/fee_quotes': [shop, { amount: '1000', currency: 'EUR' }],
  'POST /v1/merchants/:id/refund_limit': [OPERATOR, { amount: '1', currency: 'EUR', ...WHY }],
  'POST /v1/merchants/:id/reserve_rules': [
    OPERATOR,
    { currency: 'EUR', kind: 'rolling', percent: '5', days: 90 },
  ],
  'POST /v1/merchants/:id/dispute_terms': [
    OPERATOR,
    { currency: 'EUR', fee: '1500', evidence_days: 10 },
  ],
  'POST /v1/payments/:id/disputes': [ada, { amount: '100', reason: 'other' }],
  'POST /v1/disputes/:id/evidence': [
    shop,
    { text: 'It was delivered', file: { name: 'slip.pdf', sha256: 'a'.repeat(64) } },
  ],
  'POST /v1/disputes/:id/resolve': [OPERATOR, { outcome: 'won', note: 'A test' }],
  'POST /v1/proposals/:id/refuse': [OPERATOR, WHY],
  'POST /v1/staff': [OPERATOR, { merchant: shop.id, subject: 'abuse.staff' }],
  'POST /v1/api_keys': [shop, { name: 'Till', scopes: ['merchant'] }],
  'POST /v1/chat_keys': [OPERATOR, { name: 'Chat', scopes: ['chat'] }],
  'POST /v1/webhook_endpoints': [shop, { url: 'http://127.0.0.1:9/', types: ['payment.*'] }],
  'PUT /v1/webhook_endpoints/:id': [shop, { state: 'disabled' }],
  'POST /v1/webhook_endpoints/:id/replay': [shop, { from: CLOSING.through }],
  'POST /v1/sessions/revoke': [ben, { keep_this: true }],
  'POST /v1/revocations': [OPERATOR, { subject: 'abuse.staff' }],
  'DELETE /v1/me': [ada, { approval: { pin: PIN } }],
  'PUT /v1/pin': [ben, { pin: '274952', current_pin: PIN }],
  'POST /v1/pin/verify': [ben, { pin: PIN }],
  'POST /v1/pin/reset': [ben, { pin: '274952', approval: { pin: PIN } }],
})

const newDevice = () => {
  const key = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }
  return { name: 'A phone', key, possession: 'a.b.c', approval: { pin: PIN } }
}
const newMerchant = () => {
  const fees = { percent: '1', fixed: '0', currency: 'EUR' }
  return { name: 'Shop', alias: 'abuse.shop', subject: 'abuse.shop', fees }
}
