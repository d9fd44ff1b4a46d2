/**
 * The real steps, callbacks, sweep and adapter in virtual time, from one seed: first with faults,
 * then without, when everything has to become final.
 */
import { BankError, type BankAdapter } from '../../adapters/adapter.ts'
import { signedHeaders } from '../../adapters/signature.ts'
import type { Uuid } from '../../ledger/index.ts'
import { receiveCallback } from '../../services/banking/callbacks.ts'
import { sweep } from '../../services/banking/sweep.ts'
import type { Context } from '../../services/context.ts'
import { openHandlers } from '../../services/handlers.ts'
import { openMemory } from '../../services/memory.ts'
import type { Bell } from '../../services/queue.ts'
import { randomOf } from '../support/random.ts'
import { BANK_SECRET } from '../support/world.ts'
import { type Letter, openSimulatedBank, type SimulatedBank } from './bank.ts'
import { openCustomers } from './customers.ts'
import { type ChatApp, openChatApp } from './hooks.ts'
import { openSwarm, type Swarm } from './faults.ts'
import { adapterTo, BANK, type House, midnightAfter } from './house.ts'
import { balanceAtBank, judge } from './judge.ts'
import { openSchedule, type Schedule } from './schedule.ts'

const [HOUR_S, HOUR_MS] = [3_600, 3_600_000]
const INSTRUCTIONS = 12
/** With faults. */
const CHAOS_H = 8
/** Within these everything is final or a person's, and returns have come. */
const CALM_H = 27
const RETURNS_H = 72

/** So often is what is due looked for, in seconds, until so many hours have passed. */
const PATROLS = [
  [CHAOS_H, 600],
  [CHAOS_H + CALM_H, 1_800],
  [Infinity, 4 * HOUR_S],
] as const

/** What somebody might have got wrong. */
export interface Mistake {
  /** Instead of the adapter. */
  readonly bank?: (bank: BankAdapter) => BankAdapter
  readonly isDeaf?: boolean
  /** Whoever was stopped does not notice. */
  readonly isTimeless?: boolean
}

export interface Simulated {
  readonly violations: readonly string[]
  readonly story: readonly string[]
  readonly faults: readonly string[]
  readonly states: Readonly<Record<string, number>>
  readonly instructions: number
  readonly deaths: number
  readonly steps: number
}

interface Scene {
  readonly context: Context
  readonly api: Context
  readonly schedule: Schedule
  readonly swarm: Swarm
  readonly random: () => number
  readonly mistake: Mistake
}

export async function simulate(
  house: House,
  seed: number,
  mistake: Mistake = {},
): Promise<Simulated> {
  const random = randomOf(seed)
  const swarm = openSwarm(random)
  const begins = house.begins
  const diesAt = () => (swarm.hits('death') ? 1 + Math.floor(random() * 20) : Infinity)
  const stopsFor = () => (swarm.hits('stop') ? (random() < 0.5 ? 60 : 8 * HOUR_S) * random() : 0)
  const schedule = openSchedule({ start: begins, diesAt, stopsFor })
  const scene = sceneOf(house, { schedule, swarm, random, mistake })
  const bank = openSimulatedBank({ schedule, swarm, random, send: senderOf(scene) })
  const adapter = adapterTo(bank, schedule)
  const banks = new Map([[BANK, mistake.bank?.(adapter) ?? adapter]])
  Object.assign(scene.context, { banks })
  Object.assign(scene.api, { banks })
  const before = await balanceAtBank(scene.context)
  const chat = await openChatApp(scene, scene)
  house.schedule = schedule
  const { random: drawn } = Math
  const elapsed = performance.now.bind(performance)
  // The jitter of retries belongs to the seed, whoever else draws; leases end by the virtual clock.
  Math.random = randomOf(seed + 1)
  performance.now = mistake.isTimeless === true ? () => 0 : schedule.elapsed_ms
  try {
    const { references, customers } = await perform(scene, bank, chat)
    house.schedule = undefined
    const judged = await judge(scene.context, bank, references, before)
    const { failures } = schedule
    const misplaced = await customers.judge(bank.paid, scene.api)
    const violations = [...failures, ...judged.violations, ...misplaced, ...(await chat.missed())]
    await chat.leave()
    const { states } = judged
    const story = named(schedule.story)
    return {
      ...{ violations, story, states, faults: swarm.kinds, instructions: references.length },
      ...{ deaths: schedule.deaths(), steps: story.length },
    }
  } finally {
    Math.random = drawn
    performance.now = elapsed
    house.schedule = undefined
    house.begins = midnightAfter(schedule.now())
  }
}

/** Ids are other ones each time; named by their order, the same seed tells the same. */
function named(story: readonly string[]): string[] {
  const names = new Map<string, string>()
  const nameOf = (id: string) => {
    const name = names.get(id) ?? `#${names.size + 1}`
    names.set(id, name)
    return name
  }
  return story.map((line) => line.replaceAll(/[0-9A-Z]{26}/g, nameOf))
}

function sceneOf(house: House, told: Omit<Scene, 'context' | 'api'>): Scene {
  const { schedule, swarm, random } = told
  const ring = async (bell: Bell, ids: readonly Uuid[]) => {
    schedule.step()
    for (const id of ids) {
      if (swarm.hits('ringLost')) continue
      for (let copy = swarm.hits('ringTwice') ? 2 : 1; copy > 0; copy -= 1) {
        const in_s = random() * (swarm.hits('ringLate') ? HOUR_S : 0.1)
        schedule.start(in_s, bell, () => handle(scene, bell, id))
      }
    }
    schedule.step()
  }
  const queue = { ring, ringAgain: ring, work: () => {}, close: async () => {} }
  const mayCall = () => !swarm.hits('leftAlone')
  const call = <T>(_: string, work: () => Promise<T>) => work()
  const breakers = { health: () => 'closed' as const, mayCall, mayRepeat: mayCall, call }
  const { now } = schedule
  const ports = () => ({ queue, breakers, now, memory: openMemory(1_000, now) })
  const scene: Scene = {
    ...told,
    context: { ...house.worker, ...ports() },
    api: { ...house.api, ...ports() },
  }
  return scene
}

async function handle({ context }: Scene, bell: Bell, id: Uuid): Promise<void> {
  await openHandlers(context)[bell](id)
}

/** Brings a letter until it is taken: a bank tries again when nobody says 200. */
function senderOf(scene: Scene) {
  const { context, schedule, swarm } = scene
  return function send(in_s: number, letter: Letter): void {
    schedule.start(in_s, `letter ${letter.event_id}`, async () => {
      const body = Buffer.from(JSON.stringify(letter))
      const deliver = (secret: string, bytes = body) => {
        const headers = signedHeaders(secret, letter.event_id, schedule.now(), body)
        return receiveCallback(context, BANK, headers, bytes)
      }
      if (swarm.hits('forged')) await refused(deliver(FORGED, body))
      if (swarm.hits('forged'))
        await refused(deliver(BANK_SECRET, Buffer.concat([body, Buffer.from(' ')])))
      let isTaken = false
      try {
        await deliver(BANK_SECRET)
        isTaken = true
      } finally {
        if (!isTaken) send(60, letter)
      }
    })
  }
}

const FORGED = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

async function refused(delivered: Promise<void>): Promise<void> {
  try {
    await delivered
  } catch (error) {
    if (error instanceof BankError && error.code === 'bad_signature') return
    throw error
  }
  throw new Error('a forged letter was taken')
}

async function perform(scene: Scene, bank: SimulatedBank, chat: ChatApp) {
  const { schedule, swarm, mistake, random } = scene
  const begins_ms = schedule.now().getTime()
  const until = (hours: number) => schedule.run(new Date(begins_ms + hours * HOUR_MS))
  const references: string[] = []
  const customers = await openCustomers(scene.api, random)
  for (let index = 0; index < INSTRUCTIONS; index += 1) {
    const at_s = (index / INSTRUCTIONS) * 2 * HOUR_S
    await schedule.run(new Date(begins_ms + at_s * 1000))
    references.push(await customers.ask())
  }
  const patrol = () => {
    if (mistake.isDeaf !== true) schedule.start(0, 'sweep', () => sweep(scene.context))
    if (random() < 0.5) schedule.start(random(), 'relay', () => chat.relay(scene.context))
    const hours = (schedule.now().getTime() - begins_ms) / HOUR_MS
    const [, every_s] = PATROLS.find(([until_h]) => hours < until_h) ?? [0, HOUR_S]
    schedule.plan(every_s * (0.5 + random()), patrol)
  }
  patrol()
  await until(CHAOS_H)
  swarm.end()
  schedule.note('-- from here on nothing goes wrong --')
  await until(CHAOS_H + CALM_H)
  // Who has heard of nothing until now learns it from the statement.
  bank.tellAll()
  await until(CHAOS_H + RETURNS_H)
  return { references, customers }
}
