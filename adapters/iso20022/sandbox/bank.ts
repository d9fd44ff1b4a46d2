/**
 * A bank for development and tests that takes files: it empties the folder `out`, keeps books of
 * its own, and answers into the folder `in`, misbehaving by the same amounts as the sandbox bank
 * over HTTP. It knows nothing of the database of whoever uses it.
 */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { emptyBooks, isEntry, record } from '../../sandbox/bank.ts'
import { openJournal } from '../../sandbox/journal.ts'
import { openTimer } from '../../sandbox/waiting.ts'
import { closeDay, payIn, sendDay, type PayIn } from './days.ts'
import { desk } from './desk.ts'
import { remember, round } from './processing.ts'
import { readPartnerFile } from './reading.ts'
import { nameOf, write, type Bank, type FileBankOptions } from './work.ts'

export interface FileBank {
  /** The bank's day ends: a statement of what was booked since the last one, if anything was. */
  readonly closeDay: () => Promise<void>
  /** Somebody sends the partner money of his own accord. */
  readonly payIn: (payment: PayIn) => Promise<void>
  readonly stop: () => Promise<void>
}

const POLL_MS = 50

/**
 * Opens the bank and takes up whatever its journal says is unfinished.
 * @throws {Error} if the journal is damaged.
 */
export async function startFileBank(options: FileBankOptions): Promise<FileBank> {
  await mkdir(dirname(options.journalFile), { recursive: true })
  const { journal, entries } = await openJournal(options.journalFile)
  const bank: Bank = {
    ...{ options, journal, books: emptyBooks(), clock: options.clock ?? (() => new Date()) },
    desk: await desk(options.folder, `${options.journalFile}.files`),
    ...{ origins: new Map(), remittances: new Map() },
    ...{ run: `${nameOf(options)}${randomUUID().slice(0, 8)}`, messages: 0 },
  }
  for (const entry of entries) {
    if (!isEntry(entry)) throw new Error(`the journal of ${options.name} has a line we do not know`)
    record(bank.books, entry)
  }
  for (const { number, holder, currency, balance } of options.customers)
    if (!bank.books.accounts.has(`${currency} ${number}`))
      write(bank, { kind: 'opened', number, holder, currency, balance: balance.toString() })
  for await (const file of bank.desk.taken()) remember(bank, await readPartnerFile(file.bytes))
  // The last day may have ended just before a crash: its statement goes out once more, as a copy.
  const day = await bank.desk.lastDay()
  if (day.sequence > 0) await sendDay(bank, day)
  return open(bank)
}

/** One thing after another, so that a day never ends in the middle of a file. */
function open(bank: Bank): FileBank {
  const stopping = new AbortController()
  const { sleep } = openTimer(stopping.signal)
  let turn: Promise<void> = Promise.resolve()
  const inTurn = (act: () => Promise<void>) => {
    const done = turn.then(act)
    turn = done.catch(() => undefined)
    return done
  }
  const { day_ms = Infinity } = bank.options
  let dayEnds_ms = bank.clock().getTime() + day_ms
  const work = async () => {
    while (!stopping.signal.aborted) {
      await inTurn(() => round(bank))
      if (bank.clock().getTime() >= dayEnds_ms) {
        await inTurn(() => closeDay(bank))
        dayEnds_ms = bank.clock().getTime() + day_ms
      }
      await sleep(bank.options.poll_ms ?? POLL_MS).catch(() => undefined)
    }
  }
  const working = work()
  working.catch(() => undefined)
  return {
    closeDay: () => inTurn(() => closeDay(bank)),
    payIn: (payment) => inTurn(() => payIn(bank, payment)),
    async stop() {
      stopping.abort()
      await working
      await turn
      await bank.journal.close()
    },
  }
}
