/**
 * A bank that works with paper: it takes batches, and puts files down to be fetched. It has books
 * of its own, and what it has done is never undone; so it can be held against ours.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  type BankAdapter,
  type BankEvent,
  type Collected,
  type IncomingMoney,
  type InstructionBatch,
  type Recall,
  UNSUPPORTED,
} from '../../adapters/adapter.ts'
import { type RegisteredBank, registeredBank } from '../../services/banks/registry.ts'
import { BANK_SECRET, onceAWorld, world } from './world.ts'

export interface PaperBank extends BankAdapter {
  /** By the id of the batch, as it was first handed over. */
  readonly batches: ReadonlyMap<string, InstructionBatch>
  /** Minor units it has paid out, by our reference: one entry for each time. */
  readonly paid: ReadonlyMap<string, readonly bigint[]>
  readonly recalls: Recall[]
  readonly rejected: ReadonlyMap<string, string>
  /** Puts a file down; the same id and events again are a copy. One with a fault is unreadable. */
  readonly putDown: (events: readonly BankEvent[], messageId?: string, fault?: string) => string
  readonly nameOf: (messageId: string) => string
  /** What it says about everything that it has paid and not yet told of. */
  readonly tellOfPaid: () => readonly BankEvent[]
  /** Called before and after each thing it does for us; may throw. */
  step: (what: string) => void
  /** What it says about whose an account is; that it cannot tell, unless a test says so. */
  checkName: BankAdapter['checkName']
}

const digestOf = (batch: InstructionBatch) =>
  createHash('sha256')
    .update(JSON.stringify(batch, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
    .digest('hex')

interface PaperFile {
  readonly events: readonly BankEvent[]
  readonly fault?: string | undefined
  readonly isThere: boolean
}

interface Books {
  readonly batches: Map<string, InstructionBatch>
  readonly paid: Map<string, bigint[]>
  readonly told: Set<string>
  readonly files: Map<string, PaperFile>
  readonly rejected: Map<string, string>
  readonly recalls: Recall[]
}

/** A batch that it knows is paid once, and must be what it was. */
function pay({ batches, paid }: Books, batch: InstructionBatch): void {
  const known = batches.get(batch.id)
  if (known !== undefined) {
    if (digestOf(known) === digestOf(batch)) return
    throw new Error(`batch ${batch.id} came again with other contents`)
  }
  batches.set(batch.id, batch)
  for (const { reference, money } of batch.instructions) {
    paid.set(reference, [...(paid.get(reference) ?? []), money.amount])
  }
}

function tellOfPaid({ paid, told }: Books): BankEvent[] {
  const untold = [...paid].filter(([reference]) => !told.has(reference))
  return untold.map(([reference, [amount = 0n]]) => {
    told.add(reference)
    const money = { amount, currency: 'EUR' }
    const event = { eventId: randomUUID(), reference, money, occurredAt: new Date() }
    return { ...event, outcome: 'settled' as const }
  })
}

const nameOf = (messageId: string) => `${messageId}.xml`

function openPaperBank(name: string): PaperBank {
  const books: Books = {
    ...{ batches: new Map(), paid: new Map(), told: new Set(), files: new Map() },
    ...{ rejected: new Map(), recalls: [] },
  }
  const { batches, paid, files, rejected, recalls } = books
  const collected = (messageId: string, { events, fault }: PaperFile): Collected => ({
    ...{ messageId, name: nameOf(messageId), events, ...(fault !== undefined && { fault }) },
    async accept() {
      bank.step('before accept')
      files.set(messageId, { events, isThere: false })
      bank.step('after accept')
    },
    async reject(reason) {
      files.set(messageId, { events, isThere: false })
      rejected.set(messageId, reason)
    },
  })
  const bank: PaperBank = {
    ...UNSUPPORTED,
    ...{ name, batches, paid, recalls, rejected, step: () => {}, nameOf },
    capabilities: new Set(['credit', 'debit', 'batch', 'collect', 'recall'] as const),
    async submitBatch(batch) {
      bank.step('before submitBatch')
      pay(books, batch)
      bank.step('after submitBatch')
    },
    async recall(recall) {
      bank.step('before recall')
      if (!recalls.some(({ reference }) => reference === recall.reference)) recalls.push(recall)
      bank.step('after recall')
      return { state: 'accepted' }
    },
    async *collect() {
      bank.step('before collect')
      for (const [messageId, file] of files) {
        if (file.isThere) yield collected(messageId, file)
      }
    },
    putDown(events, messageId = randomUUID(), fault) {
      files.set(messageId, { events, fault, isThere: true })
      return messageId
    },
    tellOfPaid: () => tellOfPaid(books),
  }
  return bank
}

/** The world's own one, known to its API and its worker. */
export const paperBank = onceAWorld(async (): Promise<PaperBank> => {
  const opened = openPaperBank('paper')
  const { api, worker, config } = await world()
  const entry = {
    ...({
      name: 'paper',
      protocol: 'sandbox',
      url: 'http://127.0.0.1',
      secret: BANK_SECRET,
    } as const),
    currencies: ['EUR'],
  }
  for (const { banks, registry } of [api, worker]) {
    ;(banks as Map<string, BankAdapter>).set('paper', opened)
    const known = registry as Map<string, RegisteredBank>
    known.set('paper', registeredBank(entry, opened.capabilities))
  }
  ;(config.BANKS as object[]).push(entry)
  return opened
})

/** Money that comes without our asking. */
export const incoming = (
  amount: bigint,
  more: Partial<Pick<IncomingMoney, 'remittance' | 'sender' | 'senderAccount'>> = {},
): IncomingMoney => ({
  ...{ eventId: randomUUID(), outcome: 'received', reference: `P-${randomUUID()}` },
  ...{ money: { amount, currency: 'EUR' }, occurredAt: new Date(), ...more },
})
