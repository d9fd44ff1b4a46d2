/** Two people who pay each other from their bank accounts, top up, and take money out. */
import type { Knex } from 'knex'
import { claimOf, createTransfers, newId, newUnitId } from '../../ledger/index.ts'
import { linkBankAccount } from '../../services/banking/bank_accounts.ts'
import { bankAccountsOf, personOwner, walletOf } from '../../services/books/chart.ts'
import type { Context } from '../../services/context.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { moveOwnMoney } from '../../services/payments/own_money.ts'
import { pay } from '../../services/payments/pay.ts'
import { type Person, personOf } from '../../services/people/parties.ts'
import { BANK, CURRENCY } from './house.ts'
import { mayHave, type Wish } from './whose.ts'

export interface Customers {
  /** One of them asks for something that a bank must do. @returns the bank's reference of it. */
  readonly ask: () => Promise<string>
  /** Whether wallets have what they should, by how often the bank has moved each money. */
  readonly judge: (paid: ReadonlyMap<string, number>, api: Context) => Promise<string[]>
}

const KINDS = ['withdrawal', 'top_up', 'payment'] as const

export async function openCustomers(api: Context, random: () => number): Promise<Customers> {
  let [one, other] = [await newCustomer(api), await newCustomer(api)]
  let asked = 0
  const people = [one.person, other.person] as const
  const [wishes, funded]: [Wish[], [bigint, bigint]] = [[], [0n, 0n]]
  return {
    async judge(paid, { db }) {
      const now = await Promise.all(people.map((person) => wallet(db, person)))
      const endOf = await endsOf(db, paid)
      const [first = 0n, second = 0n] = now
      const may = mayHave(funded, wishes, endOf, [first, second])
      return may ? [] : [`wallets have ${now.join(' and ')}`]
    },
    async ask() {
      ;[one, other] = [other, one]
      const kind = KINDS[(asked += 1) % KINDS.length] ?? 'payment'
      const { person, bankAccount: source } = one
      const key = newId()
      const asking = { claim: claimOf(person.id, kind, key, key), key, standing: undefined }
      const money = { amount: BigInt(100 + Math.floor(random() * 900)), currency: CURRENCY }
      const payer = person === people[0] ? 0 : 1
      if (kind === 'withdrawal') {
        await fund(api, person, money.amount)
        funded[payer] += money.amount
      }
      const payee = publicId('per', other.person.id)
      const nothing = { approval: undefined, note: undefined, order: undefined }
      const { answer } =
        kind === 'payment'
          ? await pay(api, person, { payee, money, source, ...nothing }, asking)
          : await moveOwnMoney(
              api,
              kind,
              person,
              { money, bankAccount: source, ...nothing },
              asking,
            )
      const subject_id = idIn(answer)
      const row = await api.db('instructions').where({ subject_id }).first('reference')
      wishes.push({ reference: row.reference, kind, payer, amount: money.amount })
      return row.reference
    },
  }
}

async function endsOf(db: Knex, paid: ReadonlyMap<string, number>) {
  const rows: { reference: string; state: string }[] = await db('instructions')
  const states = new Map(rows.map(({ reference, state }) => [reference, state]))
  return (reference: string) => ({
    ...{ state: states.get(reference) ?? '', paid: paid.get(reference) ?? 0 },
  })
}

async function wallet(db: Knex, { id }: Person): Promise<bigint> {
  const row = await db('accounts')
    .where({ owner: personOwner(id) })
    .first()
  return BigInt(row.credits_posted) - BigInt(row.debits_posted)
}

const idIn = (answer: string) => uuidOf((JSON.parse(answer) as { id: string }).id)

async function newCustomer(api: Context) {
  const token = { issuer: 'https://id.example', subject: newId(), alias: undefined }
  const person = await personOf(api, { ...token, name: undefined } as Parameters<
    typeof personOf
  >[1])
  const number = `T-${token.subject.slice(-8).toUpperCase()}`
  const details = { bank: BANK, number, holder: 'Somebody' }
  const linked = await linkBankAccount(api, personOwner(person.id), details, undefined)
  return { person, bankAccount: idIn(linked.answer) }
}

/** Money in a wallet that no bank brought. */
async function fund(api: Context, { id }: Person, amount: bigint): Promise<void> {
  const wallet = await walletOf(api, id, CURRENCY)
  const { suspense } = await bankAccountsOf(api, BANK, CURRENCY)
  const money = { amount, currency: CURRENCY }
  const why = { code: 'test', reference: newId() }
  const transfer = { kind: 'single' as const, debit: suspense, credit: wallet, money, ...why }
  await api.db.transaction((trx) =>
    createTransfers(trx, { id: newUnitId(), at: api.now(), transfers: [transfer] }),
  )
}
