/**
 * Bad input: requests made from the service's own document, each wrong in one way, many at a time.
 * Whatever is refused must have been refused as documented, and have changed nothing.
 */
import { randomOf } from '../../support/random.ts'
import { differences, fingerprint, MONEY_TABLES } from './books.ts'
import { type Document, type Json, readDocument } from './document.ts'
import { codeOf, shown, wrongWith } from './judge.ts'
import { openRequests } from './kinds.ts'
import type { Bad, Cast } from './requests.ts'
import { missingKinds, newCast, setStage, type Stage } from './stage.ts'
import { diceOf, openValues } from './values.ts'
import { type Answered, openWire } from './wire.ts'

export interface InputPlan {
  readonly seed: number
  readonly requests: number
  /** Sent beside each other. */
  readonly connections: number
  readonly say: (line: string) => void
  /** Called before each batch, with how many requests are behind it. */
  readonly between?: (sent: number) => Promise<void>
}

export interface InputFigures {
  readonly operations: number
  /** By the kind of what is wrong, and the status. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Of an operation, by kind and status. */
  readonly byOperation: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** How many operations have been refused with each code. */
  readonly codes: Readonly<Record<string, number>>
  /** By the kind of what is wrong: how many are about what is there, and what is over. */
  readonly about: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Of those with a body about what is somebody else's: the share whose body is in order. */
  readonly whole_bodies: number
  /** What there is of others. */
  readonly kinds_there: readonly string[]
  readonly slowest_ms: number
  /** As a person may read them, each with what it takes to send it again. */
  readonly offences: readonly string[]
}

/** After so many the books are compared. */
const BATCH = 1_000
/** Every so many batches one is of what the document allows. */
const ALLOWED_EVERY = 10
/** More are neither kept nor counted. */
const OFFENCES_MAX = 200

export async function sendBadInput(stage: Stage, plan: InputPlan): Promise<InputFigures> {
  const { seed, requests, connections, say, between = async () => {} } = plan
  const document = await readDocument(stage.apiUrl)
  const dice = diceOf(randomOf(seed))
  let keys = 0
  const run = `bad${seed.toString(36)}x${Date.now().toString(36)}`
  const newKey = () => `${run}-${(keys += 1)}`.padEnd(20, '-')
  const values = openValues(document, dice, seed)
  const { bad, allowed } = openRequests({ document, values, dice, newKey })
  const there = await setStage(stage)
  const missing = missingKinds(document, there.theirs)
  say(`input: ${document.operations.length} operations, ${requests} requests`)
  const castOf = await newCast(stage, there, run)
  const wire = openWire(stage.apiUrl, connections)
  const counted = openCounting(document)
  for (const kind of missing) counted.offence(`  the stage has nothing of the kind ${kind}`)
  const sendAll = (all: readonly Bad[]) => sendBatch(wire, all, connections, counted)
  try {
    for (let sent = 0, batch = 1; sent < requests; batch += 1) {
      await between(sent)
      const count = Math.min(BATCH, requests - sent)
      const isAllowed = batch % ALLOWED_EVERY === 0
      // What is allowed may end a session, or take a name: those who ask are thrown away with it.
      const cast = await (isAllowed ? await newCast(stage, there, `${run}.${batch}`) : castOf)()
      const make = (from: Cast) => (isAllowed ? allowed(from) : bad(from))
      const all = Array.from({ length: count }, () => make(cast))
      const only = isAllowed ? MONEY_TABLES : undefined
      const before = await fingerprint(stage.db, only)
      await sendAll(all)
      const changed = differences(before, await fingerprint(stage.db, only))
      if (changed.length > 0) counted.offence(`  batch ${batch} changed ${changed.join(', ')}`)
      sent += count
    }
  } finally {
    wire.close()
  }
  const kinds_there = [...there.theirs.keys()].toSorted()
  return { ...counted.figures(document.operations.length), kinds_there }
}

async function sendBatch(
  wire: ReturnType<typeof openWire>,
  all: readonly Bad[],
  connections: number,
  counted: ReturnType<typeof openCounting>,
): Promise<void> {
  const left = all.values()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (const one of left) {
        const started = performance.now()
        try {
          counted.answer(one, await wire.send(one), performance.now() - started)
        } catch (error) {
          counted.offence(shown(one, error instanceof Error ? error.message : String(error)))
        }
      }
    }),
  )
}

function openCounting(document: Document) {
  const about: Record<string, Record<string, number>> = {}
  const bodies = { whole: 0, all: 0 }
  const answers: Record<string, Record<string, number>> = {}
  const byOperation: Record<string, Record<string, number>> = {}
  const codes = new Map<string, Set<string>>()
  const offences: string[] = []
  let slowest_ms = 0
  const offence = (text: string) => void (offences.length < OFFENCES_MAX && offences.push(text))
  const count = (counts: Record<string, number>, name: string) => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  return {
    offence,
    answer(bad: Bad, answer: Answered, ms: number): void {
      const { kind, operation, body } = bad
      slowest_ms = Math.max(slowest_ms, Math.round(ms))
      count((answers[kind] ??= {}), `${answer.status}`)
      count((about[kind] ??= {}), bad.about)
      if (kind === 'owner' && body !== undefined) {
        bodies.all += 1
        if (document.allows(operation, JSON.parse(body.toString()) as Json)) bodies.whole += 1
      }
      count((byOperation[operation.name] ??= {}), `${kind} ${answer.status}`)
      if (answer.status >= 400) {
        const code = codeOf(answer.text)
        codes.set(code, (codes.get(code) ?? new Set()).add(operation.name))
      }
      const wrong = wrongWith(bad, answer)
      if (wrong !== undefined) offence(shown(bad, wrong, answer))
    },
    figures: (operations: number): Omit<InputFigures, 'kinds_there'> => ({
      ...{ operations, answers, byOperation, about, slowest_ms, offences },
      whole_bodies: bodies.whole / Math.max(1, bodies.all),
      codes: Object.fromEntries([...codes].map(([code, all]) => [code, all.size])),
    }),
  }
}
