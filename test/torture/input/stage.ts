/** People and a shop with something to lose, and others with nothing who will ask for it. */
import { randomUUID } from 'node:crypto'
import { type Ask, idOf, openAsk, OPERATOR, type Stage, until, type Who } from './asking.ts'
import { bank, bringOwners, equip, exchange, govern, type Owners, trade } from './deeds.ts'
import type { Document } from './document.ts'
import type { Cast } from './requests.ts'
import { kindOf } from './values.ts'

export type { Stage } from './asking.ts'

const ID = /\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b/g

/** Where the owners, and who runs the place, find what was made for them on the way. */
const LISTS: Readonly<Record<'person' | 'merchant' | 'operator', readonly string[]>> = {
  person: ['accounts', 'bank_accounts', 'payments', 'me', 'devices', 'exchanges'],
  merchant: [
    ...['accounts', 'payments', 'orders', 'settlements', 'webhook_endpoints', 'api_keys'],
    ...['staff', 'reserves', 'disputes', 'events', 'fee_invoices'],
  ],
  operator: [
    ...['instructions', 'incoming_money', 'recalls', 'reviews', 'proposals', 'limit_rules'],
    ...['step_up_rules', 'risk_rules', 'fee_schedules', 'reconciliations', 'netting_windows'],
  ],
}

/** What no call of the API brings about, and why. */
const CANNOT_BE_THERE: Readonly<Record<string, string>> = {
  inv: 'the worker writes an invoice when a month is over',
  nwi: 'the worker opens a window, of banks that net, where there is one',
}

/** Brings the owners to life. @returns them, and the ids of what they have by their kinds. */
export async function setStage(
  stage: Stage,
): Promise<{ readonly theirs: Cast['theirs']; readonly over: Cast['over']; readonly who: Owners }> {
  const theirs = new Map<string, Set<string>>()
  const ask = openAsk(stage, (text) => {
    for (const [id, kind = ''] of text.matchAll(ID)) {
      theirs.set(kind, (theirs.get(kind) ?? new Set()).add(id))
    }
  })
  const who = await bringOwners(stage, ask, `v${randomUUID().slice(0, 8)}`)
  await equip(ask, who)
  const over = await trade(ask, who)
  await exchange(ask, who)
  await govern(ask, who)
  await bank(stage, ask)
  await lookAround(ask, who)
  return { who, over, theirs: new Map([...theirs].map(([kind, ids]) => [kind, [...ids]])) }
}

async function lookAround(ask: Ask, { ada, shop }: Owners): Promise<void> {
  const whose: Readonly<Record<string, Who>> = { person: ada, merchant: shop, operator: OPERATOR }
  for (const [scope, who] of Object.entries(whose)) {
    for (const path of LISTS[scope as keyof typeof LISTS]) await ask(who, 'GET', path)
  }
  const { data } = await ask(OPERATOR, 'GET', 'reconciliations')
  const [newest] = data as readonly { readonly id: string }[]
  const path = `reconciliations/${idOf({ ...newest })}`
  await until(
    'the bank was compared',
    async () => (await ask(OPERATOR, 'GET', path))['state'] !== 'running',
  )
  await ask(OPERATOR, 'GET', `${path}/items`)
}

/** The kinds of ids in paths of the document of which the stage has none, and should. */
export function missingKinds({ operations }: Document, theirs: Cast['theirs']): readonly string[] {
  const kinds = operations.flatMap(({ parameters }) =>
    parameters.flatMap((one) => (one.in === 'path' ? (kindOf(one.schema) ?? []) : [])),
  )
  return [...new Set(kinds)].filter(
    (kind) => (theirs.get(kind) ?? []).length === 0 && CANNOT_BE_THERE[kind] === undefined,
  )
}

/**
 * Callers who have nothing, known to the service before anything is counted.
 * @returns them with tokens that last for some minutes from then on.
 */
export async function newCast(
  stage: Stage,
  { who: { ada, shop: rich }, ...there }: Awaited<ReturnType<typeof setStage>>,
  name: string,
): Promise<() => Promise<Cast>> {
  const { tokenOf, banks } = stage
  const ask = openAsk(stage, () => {})
  const fees = { percent: '1', fixed: '0', currency: 'EUR' }
  const shop = `${name}.shop`
  await ask(OPERATOR, 'POST', 'merchants', { name: 'Poor', alias: shop, subject: shop, fees })
  await ask({ sub: `${name}.poor`, scope: 'person' }, 'GET', 'accounts')
  return async () => {
    const [person, merchant, operator, chat, adas, richs] = await Promise.all([
      ...[tokenOf(`${name}.poor`, 'person'), tokenOf(shop, 'merchant')],
      ...[tokenOf(OPERATOR.sub, 'operator'), tokenOf(`${name}.chat`, 'chat')],
      ...[tokenOf(ada.sub, 'person'), tokenOf(rich.sub, 'merchant')],
    ])
    const tokens = { person, merchant, operator, chat } as Cast['tokens']
    const owners = { person: adas, merchant: richs, operator } as Cast['owners']
    return { tokens, owners, banks, ...there }
  }
}
