/** Customers who top up, pay people and shops, and withdraw, one thing after another. */
import type { Answered, Ask, Asked } from './asking.ts'
import { buy, type Shop } from './shops.ts'
import { BANKS } from './town.ts'

interface Customer {
  readonly sub: string
  readonly account: string
}

/** The same for all: six digits that nobody would call weak, and that no number begins with. */
export const PIN = '093705'

export const numberOf = (index: number) => `T-${String(index + 1).padStart(4, '0')}`
export const customerOf = (index: number) => `customer_${index + 1}`

/** Somebody with a PIN who has linked an account at a bank, and topped up enough to begin with. */
export async function arrive(ask: Ask, index: number): Promise<Customer> {
  const sub = customerOf(index)
  const asPerson = { who: sub, scope: 'person' } as const
  // Where the answer was lost it is set already.
  await ask({ ...asPerson, method: 'PUT', path: '/v1/pin', body: { pin: PIN } })
  const linked = await ask({
    ...{ ...asPerson, method: 'POST', path: '/v1/bank_accounts' },
    body: {
      ...{ bank: BANKS[index % BANKS.length], number: numberOf(index) },
      holder: `Customer ${index + 1}`,
    },
    key: `link-account-${sub}`,
  })
  if (linked.status !== 201) throw new Error(`${sub} cannot link: ${JSON.stringify(linked.body)}`)
  const account = linked.body['id'] as string
  const body = { bank_account: account, amount: '1000000', currency: 'EUR' }
  await ask({
    ...{ ...asPerson, method: 'POST', path: '/v1/top_ups' },
    ...{ body, key: `first-top-up-${sub}` },
  })
  return { sub, account }
}

/**
 * What the last two digits ask the bank for: rejections (91) most of all, and every other way in
 * which it may answer late, twice, wrongly or not at all (see `adapters/sandbox/behaviours.ts`).
 */
const ODD = ['91', '91', '91', '80', '81', '82', '84', '85', '90', '92', '93', '94', '95', '96']
/** Only what was paid out is sent back: money that came in may be spent by then. */
const ODD_OUT = [...ODD, '98', '98', '98']
const ODD_SHARE = 0.25

function amountOf(random: () => number, odd: readonly string[] = ODD): string {
  const [units, digits] = [1 + Math.floor(random() * 50), Math.floor(random() * 80)]
  const isOdd = random() < ODD_SHARE
  const end = isOdd ? odd[Math.floor(random() * odd.length)] : `${digits}`.padStart(2, '0')
  return `${units}${end}`
}

interface Life {
  readonly ask: Ask
  readonly customer: Customer
  readonly people: number
  readonly shops: readonly Shop[]
  readonly random: () => number
  readonly isOver: () => boolean
}

/** Lives until `isOver`. Never gives up on a request: what became of each is known in the end. */
export async function live(life: Life): Promise<void> {
  for (let number = 1; !life.isOver(); number += 1) await act(life, number)
}

/** The share that is approved with the PIN, which costs the service far more than the rest. */
const WITH_PIN = 0.1

async function act({ ask, customer, people, shops, random }: Life, number: number) {
  const { sub, account } = customer
  const amount = amountOf(random)
  const money = { amount, currency: 'EUR' }
  const out = { amount: amountOf(random, ODD_OUT), currency: 'EUR' }
  const payee = `@${customerOf(Math.floor(random() * people))}`
  const approval = random() < WITH_PIN ? { approval: { pin: PIN } } : {}
  const shop = shops[Math.floor(random() * shops.length)]
  const common = {
    ...{ who: sub, scope: 'person', method: 'POST', key: `${sub}-asks-${number}` },
  } as const satisfies Omit<Asked, 'path'>
  const name = `${sub}-buys-${number}`
  const kinds: readonly (() => Promise<Answered | void>)[] = [
    () => ask({ ...common, path: '/v1/top_ups', body: { bank_account: account, ...money } }),
    () => ask({ ...common, path: '/v1/withdrawals', body: { bank_account: account, ...out } }),
    () => ask({ ...common, path: '/v1/payments', body: { payee, source: account, ...money } }),
    () => ask({ ...common, path: '/v1/payments', body: { payee, ...money, ...approval } }),
    () => ask({ ...common, path: '/v1/payments', body: { payee, ...money } }),
    async () => shop && buy({ ask, sub, shop, name, amount, random, approval }),
    async () => shop && buy({ ask, sub, shop, name, amount, random, approval }),
  ]
  await kinds[Math.floor(random() * kinds.length)]?.()
}
