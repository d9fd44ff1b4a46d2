/** The banks over HTTP: what they can do, how they are, and why money goes where it goes. */
import { z } from 'zod'
import { findBankAccount } from '../banking/bank_accounts.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { Amount, CurrencyCode, moneyOf, text, TEXT_LENGTH_MAX, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { banksNow, routeOf } from './choose.ts'
import { closeBank, openBank, outageOut } from './closing.ts'
import type { Rail, RegisteredBank } from './registry.ts'
import type { BankNow } from './routing.ts'

const BankName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)
const RailName = BankName
const Direction = z.enum(['debit', 'credit'])

const BankOut = z
  .strictObject({
    name: BankName,
    title: z.string(),
    country: z.string().nullable(),
    currencies: z.array(CurrencyCode),
    works: z.boolean().describe('Whether anything is routed to it at the moment'),
  })
  .meta({ id: 'Bank' })

const AmountsOut = z.record(CurrencyCode, z.string())

const RailOut = z.strictObject({
  rail: RailName,
  directions: z.array(Direction),
  currencies: z.array(CurrencyCode),
  banks: z.array(BankName),
  countries: z.array(z.string()),
  amount_min: AmountsOut,
  amount_max: AmountsOut,
  hours: z
    .strictObject({
      time_zone: z.string(),
      days: z.array(z.int()),
      opens: z.string(),
      closes: z.string(),
    })
    .nullable(),
  priority: z.int(),
  name_check: z.array(z.string()),
  valid_from: Timestamp.nullable(),
  valid_to: Timestamp.nullable(),
})

const OutageOut = z
  .strictObject({
    id: idOut('out'),
    bank: BankName,
    rail: RailName.nullable(),
    reason: z.string(),
    created_by: z.string(),
    from: Timestamp,
    to: Timestamp.nullable(),
  })
  .meta({ id: 'BankOutage' })

const BankFull = z
  .strictObject({
    ...BankOut.shape,
    capabilities: z.array(z.string()),
    rails: z.array(RailOut),
    failing: z.boolean().describe('Workers found that it fails too often'),
    outages: z.array(OutageOut),
    maintenance: z.array(z.strictObject({ from: Timestamp, to: Timestamp })),
    exposure_max: AmountsOut,
  })
  .meta({ id: 'BankInFull' })

const textOf = (amounts: Readonly<Record<string, bigint>>) =>
  Object.fromEntries(Object.entries(amounts).map(([currency, one]) => [currency, `${one}`]))

const railOut = ({ reaches, hours, ...rail }: Rail) => ({
  ...{ rail: rail.rail, directions: rail.directions, currencies: rail.currencies, ...reaches },
  ...{ amount_min: textOf(rail.amountMin), amount_max: textOf(rail.amountMax) },
  hours: hours && {
    ...{ time_zone: hours.timeZone, days: hours.days, opens: hours.opens, closes: hours.closes },
  },
  ...{ priority: rail.priority, name_check: rail.nameCheck },
  valid_from: rail.validFrom?.toISOString() ?? null,
  valid_to: rail.validTo?.toISOString() ?? null,
})

const bankOut = ({ bank, outages, isFailing }: BankNow, at: Date) => ({
  ...{ name: bank.name, title: bank.title, country: bank.country, currencies: bank.currencies },
  works:
    !isFailing &&
    ![...outages.filter(({ rail }) => rail === null), ...bank.maintenance].some(
      ({ from, to }) => from <= at && at < to,
    ),
})

function bankOf({ registry }: Context, name: string): RegisteredBank {
  const bank = registry.get(name)
  if (bank === undefined) throw new ServiceError('not_found')
  return bank
}

const bankEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/banks/:bank', tag: 'Banks', scopes: ['operator'] },
  summary: 'A bank with its rails, and how it is',
  params: z.strictObject({ bank: BankName }),
  answers: { 200: BankFull },
  refusals: ['not_found'],
  async handle(context, { params }) {
    const { name } = bankOf(context, params.bank)
    const at = context.now()
    const all = await banksNow(context, '')
    const found = all.find(({ bank }) => bank.name === name)
    if (found === undefined) throw new ServiceError('not_found')
    const { bank } = found
    const outages = (await context.outages.at(at)).filter((one) => one.bank === name)
    const full = {
      ...{ ...bankOut(found, at), capabilities: [...bank.capabilities] },
      ...{ rails: bank.rails.map(railOut), failing: found.isFailing },
      outages: outages.map(outageOut),
      maintenance: bank.maintenance.map(({ from, to }) => ({
        ...{ from: from.toISOString(), to: to.toISOString() },
      })),
      exposure_max: textOf(bank.exposureMax),
    }
    return { status: 200, body: full }
  },
})

const ConsideredOut = z.strictObject({
  bank: BankName,
  rail: RailName,
  verdict: z.string(),
  sentence: z.string(),
})

const routeEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/bank_routes', tag: 'Banks', scopes: ['operator'] },
  summary: 'Through which bank an instruction would go now, and why not through the others',
  query: z.strictObject({
    bank_account: idIn('bac'),
    direction: Direction,
    amount: Amount,
    currency: CurrencyCode,
  }),
  answers: {
    200: z
      .strictObject({
        bank: BankName.nullable(),
        rail: RailName.nullable(),
        considered: z.array(ConsideredOut),
      })
      .meta({ id: 'BankRoute' }),
  },
  refusals: ['not_found', 'currency_unknown'],
  async handle(context, { query: { bank_account, direction, ...money } }) {
    const asked = moneyOf(money)
    const known = await context.db('bank_accounts').where({ id: bank_account }).first('id')
    if (known === undefined) throw new ServiceError('not_found')
    const account = await findBankAccount(context.db, bank_account)
    const { chosen, considered } = await routeOf(context, account, direction, asked)
    const way = { bank: chosen?.bank ?? null, rail: chosen?.rail ?? null }
    return { status: 200, body: { ...way, considered } }
  },
})

const outageEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/banks/:bank/outages', tag: 'Banks', scopes: ['operator'] },
    summary: 'Close a bank, or one of its rails: nothing is routed there meanwhile',
    params: z.strictObject({ bank: BankName }),
    body: z.strictObject({
      rail: RailName.optional().describe('All of them, where left out'),
      from: z.iso.datetime({ offset: true }).optional().describe('Now, where left out or past'),
      to: z.iso.datetime({ offset: true }).optional().describe('Until it is ended, if left out'),
      reason: text(TEXT_LENGTH_MAX),
    }),
    answers: { 201: OutageOut },
    refusals: ['not_found'],
    async handle(context, { caller, params, body: { rail = null, from, to, reason } }) {
      const { name } = bankOf(context, params.bank)
      const asked = { bank: name, rail, from: dateOf(from), to: dateOf(to), reason }
      return { status: 201, body: outageOut(await closeBank(context, asked, caller.subject)) }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/bank_outages/:id/end', tag: 'Banks', scopes: ['operator'] },
    summary: 'Open again what an operator closed',
    params: z.strictObject({ id: idIn('out') }),
    answers: { 200: OutageOut },
    refusals: ['not_found'],
    handle: async (context, { params }) => ({
      ...{ status: 200, body: outageOut(await openBank(context, params.id)) },
    }),
  }),
]

const dateOf = (moment: string | undefined) => (moment === undefined ? moment : new Date(moment))

export const bankEndpoints = [
  endpoint({
    ...{
      method: 'GET',
      path: '/v1/banks',
      tag: 'Banks',
      scopes: ['person', 'merchant', 'operator'],
    },
    summary: 'The banks at which an account can be linked',
    answers: { 200: z.strictObject({ data: z.array(BankOut) }) },
    refusals: [],
    handle: async (context) => {
      const at = context.now()
      const data = (await banksNow(context, '')).map((one) => bankOut(one, at))
      return { status: 200, body: { data } }
    },
  }),
  bankEndpoint,
  routeEndpoint,
  ...outageEndpoints,
]
