/**
 * The story of a first run, told through the public API alone: from a PIN to the proof.
 *
 * Every step that moves money carries a key of its own, the same in every run. So the story can be
 * broken off anywhere and told again: what has happened is answered again, not done again.
 */
import { BANKS, CAFE, type CastPerson, PEOPLE } from './cast.ts'
import type { Answer, Client } from './client.ts'
import { cafe, type Line, money, operator, person, step, type Tell } from './steps.ts'
import { askForWebhooks, webhookOf } from './story_webhooks.ts'

const [ALICE, BOB] = PEOPLE

/** Who everybody is, before anything is paid: PINs, linked bank accounts, the merchant. */
export async function setTheStage(
  client: Client,
  tell: Tell,
  shopUrl: string,
): Promise<Record<string, string>> {
  const accounts: Record<string, string> = {}
  for (const one of PEOPLE) await setPin(client, tell, one)
  for (const one of PEOPLE) accounts[one.sub] = await linkAccount(client, tell, person(one), one)
  const { sub: subject, name, alias, fees, profile } = CAFE
  await step(tell, 'Operator', `takes ${name} on`, async () => {
    const asked = { method: 'POST', path: '/v1/merchants', key: 'demo-takes-cafe-on' } as const
    const body = { name, alias, subject, fees }
    const taken = await client.call(operator, { ...asked, body: { ...body, profile } })
    // Books from before invoices had its address know it by the body of then.
    const isOlder = taken.body['code'] === 'idempotency_key_reused'
    return isOlder ? client.call(operator, { ...asked, body }) : taken
  })
  accounts[subject] = await linkAccount(client, tell, cafe, CAFE)
  await askForWebhooks(client, tell, shopUrl)
  return accounts
}

export async function play(
  client: Client,
  tell: Tell,
  accounts: Readonly<Record<string, string>>,
  shopUrl: string,
): Promise<void> {
  await bankMovement(client, tell, ALICE, {
    ...{ path: '/v1/top_ups', what: `tops up from ${ALICE.account.bank}`, amount: '5000' },
    ...{ bankAccount: accounts[ALICE.sub], key: 'demo-alice-tops-up-1' },
  })
  await payment(client, tell, ALICE, {
    ...{ what: 'pays @bob for lunch', key: 'demo-alice-pays-bob-1' },
    body: { payee: `@${BOB.alias}`, amount: '1250', currency: 'EUR', note: 'Lunch' },
  })
  const order = await step(tell, CAFE.name, 'asks for an order', () =>
    client.call(cafe, {
      ...{ method: 'POST', path: '/v1/orders', key: 'demo-cafe-order-0001' },
      body: {
        reference: 'T-4711',
        description: 'Breakfast for two',
        lines: ORDERED,
        ...EIGHTEEN_FIFTY,
        expires_in_s: 86_400,
      },
    }),
  )
  const paid = await payment(client, tell, ALICE, {
    ...{ what: 'pays the order', key: 'demo-alice-pays-cafe-1' },
    body: { order: order.body['id'], ...EIGHTEEN_FIFTY },
  })
  await webhookOf(client, tell, shopUrl, {
    ...{ type: 'payment.completed', object: String(paid.body['id']) },
    from: String(paid.body['created_at']),
  })
  await refund(client, tell, String(paid.body['id']))
  await settlement(client, tell)
  await bankMovement(client, tell, BOB, {
    ...{ path: '/v1/withdrawals', what: `withdraws to ${BOB.account.bank}`, amount: '1000' },
    ...{ bankAccount: accounts[BOB.sub], key: 'demo-bob-withdraws-1' },
  })
  await proof(client, tell)
}

const EIGHTEEN_FIFTY = { amount: '1850', currency: 'EUR' }
const ORDERED = [
  { name: 'Flat white', quantity: 2, unit_amount: '430' },
  { name: 'Breakfast', quantity: 1, unit_amount: '990' },
]

const stateOf = (body: Answer['body']) => ({ state: String(body['state']) })

async function setPin(client: Client, tell: Tell, one: CastPerson): Promise<void> {
  await step(tell, one.name, 'sets a PIN', async () => {
    const body = { pin: one.pin }
    const answer = await client.call(person(one), { method: 'PUT', path: '/v1/pin', body })
    const isSet = answer.body['code'] === 'pin_already_set'
    return isSet ? { ...answer, status: 204, replayed: true, body: {} } : answer
  })
}

async function linkAccount(
  client: Client,
  tell: Tell,
  who: { sub: string; scope: string },
  { name, account }: { readonly name: string; readonly account: CastPerson['account'] },
): Promise<string> {
  const answer = await step(tell, name, `links an account at ${account.bank}`, () =>
    client.call(who, {
      ...{ method: 'POST', path: '/v1/bank_accounts', key: `demo-links-${who.sub}-account` },
      body: account,
    }),
  )
  return String(answer.body['id'])
}

async function payment(
  client: Client,
  tell: Tell,
  payer: CastPerson,
  { what, key, body }: { what: string; key: string; body: object },
): Promise<Answer> {
  return step(
    tell,
    payer.name,
    what,
    () =>
      client.call(person(payer), {
        ...{ method: 'POST', path: '/v1/payments', key },
        body: { ...body, approval: { pin: payer.pin } },
      }),
    (paid) => {
      const fee = BigInt(String(paid['fee'])) + BigInt(String(paid['tax']))
      const lines = paid['fee_lines'] as readonly FeeLine[]
      const notes = lines.map((line) => `${money(line.amount, line.currency)}: ${line.description}`)
      return { ...stateOf(paid), ...(fee > 0n && { fee: money(fee, paid['currency']), notes }) }
    },
  )
}

interface FeeLine {
  readonly amount: string
  readonly currency: string
  readonly description: string
}

/** The breakfast never came. */
async function refund(client: Client, tell: Tell, payment: string): Promise<void> {
  await step(
    tell,
    CAFE.name,
    'gives the breakfast back',
    () =>
      client.call(cafe, {
        ...{ method: 'POST', path: `/v1/payments/${payment}/refunds`, key: 'demo-cafe-refunds-1' },
        body: { amount: '990', reason: 'The kitchen was closed' },
      }),
    ({ fee_returned: fee, tax_returned: tax, currency }) => ({
      notes: [`${money(BigInt(String(fee)) + BigInt(String(tax)), currency)} of the fee come back`],
    }),
  )
}

/** Top-ups and withdrawals: asked for, then waited for until the bank has called back. */
async function bankMovement(
  client: Client,
  tell: Tell,
  who: CastPerson,
  move: {
    path: string
    what: string
    amount: string
    bankAccount: string | undefined
    key: string
  },
): Promise<void> {
  const { path, amount, key } = move
  await step(
    tell,
    who.name,
    move.what,
    async () => {
      const approval = { pin: who.pin }
      const body = { bank_account: move.bankAccount, amount, currency: 'EUR', approval }
      const asked = await client.call(person(who), { method: 'POST', path, key, body })
      if (asked.status >= 400) return asked
      return client.until(person(who), `/v1/payments/${String(asked.body['id'])}`, hasEnded)
    },
    stateOf,
  )
}

async function settlement(client: Client, tell: Tell): Promise<void> {
  await step(
    tell,
    CAFE.name,
    `is settled to ${CAFE.account.bank}`,
    async () => {
      const call = { method: 'POST', path: '/v1/settlements', key: 'demo-cafe-settles-1' } as const
      const asked = await client.call(cafe, { ...call, body: { currency: 'EUR' } })
      if (asked.status >= 400) return asked
      return client.until(cafe, `/v1/settlements/${String(asked.body['id'])}`, hasEnded)
    },
    (batch) => ({
      ...{ ...stateOf(batch), amount: money(batch['payout'], batch['currency']) },
      notes: [`GET /v1/settlements/${String(batch['id'])}/statement?format=pdf`],
    }),
  )
}

const hasEnded = (body: Answer['body']) => body['state'] !== 'processing'

/** The books balance, and each bank's own statement says what we say of our money there. */
async function proof(client: Client, tell: Tell): Promise<void> {
  await step(
    tell,
    'Operator',
    'proves that the books balance',
    () => client.call(operator, { path: '/v1/ledger/proof' }),
    (body) => ({ state: body['proven'] === true ? 'proven' : 'NOT PROVEN' }),
  )
  for (const { name } of BANKS) {
    await step(
      tell,
      'Operator',
      `compares with ${name}'s statement`,
      () => reconciliation(client, name),
      (body) => reconciled(body['balances'] as readonly Reconciled[]),
    )
  }
}

async function reconciliation(client: Client, bank: string): Promise<Answer> {
  const path = `/v1/banks/${bank}/reconciliations`
  const asked = await client.call(operator, { method: 'POST', path, body: {} })
  if (asked.status >= 400) return asked
  return client.until(operator, `/v1/reconciliations/${String(asked.body['id'])}`, isOver)
}

const isOver = ({ state }: Answer['body']) => state === 'completed' || state === 'failed'

interface Reconciled {
  readonly agrees: boolean
  readonly books: { readonly amount: string; readonly currency: string }
}

function reconciled(found: readonly Reconciled[]): Partial<Line> {
  const state = found.every((one) => one.agrees) ? 'agrees' : 'DIFFERS'
  const [first] = found
  return { state, ...(first && { amount: money(first.books.amount, first.books.currency) }) }
}
