/** Customers who top up, pay from their bank, and withdraw, one thing after another. */
import type { Ask, Asked } from './asking.ts'
import { BANKS } from './town.ts'

interface Customer {
  readonly sub: string
  readonly account: string
}

/** Somebody who has linked an account at a bank, and topped up enough to begin with. */
export async function arrive(ask: Ask, index: number): Promise<Customer> {
  const sub = `customer_${index + 1}`
  const number = `T-${String(index + 1).padStart(4, '0')}`
  const linked = await ask({
    ...{ who: sub, scope: 'person', method: 'POST', path: '/v1/bank_accounts' },
    body: { bank: BANKS[index % BANKS.length], number, holder: `Customer ${index + 1}` },
    key: `link-account-${sub}`,
  })
  if (linked.status !== 201) throw new Error(`${sub} cannot link: ${JSON.stringify(linked.body)}`)
  const account = linked.body['id'] as string
  const body = { bank_account: account, amount: '1000000', currency: 'EUR' }
  await ask({
    ...{ who: sub, scope: 'person', method: 'POST', path: '/v1/top_ups' },
    ...{ body, key: `first-top-up-${sub}` },
  })
  return { sub, account }
}

/** The last two digits stay below those that ask the bank for something. */
const amountOf = (random: () => number) =>
  `${(1 + Math.floor(random() * 50)) * 100 + Math.floor(random() * 90)}`

/** Lives until `isOver`. Never gives up on a request: what became of each is known in the end. */
export async function live(
  ask: Ask,
  customer: Customer,
  people: number,
  { random, isOver }: { readonly random: () => number; readonly isOver: () => boolean },
): Promise<void> {
  for (let number = 1; !isOver(); number += 1) {
    await ask(nextOf(customer, people, number, random))
  }
}

function nextOf({ sub, account }: Customer, people: number, number: number, random: () => number) {
  const money = { amount: amountOf(random), currency: 'EUR' }
  const payee = `@customer_${1 + Math.floor(random() * people)}`
  const common = {
    who: sub,
    scope: 'person',
    method: 'POST',
    key: `${sub}-asks-${number}`,
  } as const
  const kinds: readonly (() => Asked)[] = [
    () => ({ ...common, path: '/v1/top_ups', body: { bank_account: account, ...money } }),
    () => ({ ...common, path: '/v1/withdrawals', body: { bank_account: account, ...money } }),
    () => ({ ...common, path: '/v1/payments', body: { payee, source: account, ...money } }),
    () => ({ ...common, path: '/v1/payments', body: { payee, ...money } }),
  ]
  const kind = kinds[Math.floor(random() * kinds.length)] ?? kinds[0]
  if (kind === undefined) throw new Error('there is nothing to do')
  return kind()
}
