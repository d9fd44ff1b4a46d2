/** What goes wrong on purpose while customers live: processes die or stand still, jobs are lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Kept } from './kept.ts'

interface HarmPlan {
  readonly chaos_s: number
  readonly killEvery_s: number
  readonly say: (line: string) => void
}

/** What decides when something goes wrong, and until when it does. */
interface Harm {
  readonly random: () => number
  readonly isOver: () => boolean
}

/** The API or a worker; every fourth time one only stands still, for up to forty seconds. */
export async function killAgainAndAgain(
  processes: readonly Kept[],
  { killEvery_s, chaos_s, say }: HarmPlan,
  { random, isOver }: Harm,
): Promise<void> {
  while (!isOver()) {
    await sleep(killEvery_s * 1000)
    const victim = processes[Math.floor(random() * processes.length)]
    if (victim === undefined) throw new Error('there is nobody to kill')
    if (random() < 0.25) {
      const still_ms = Math.min(FREEZE_MAX_MS, (chaos_s * 1000) / 4) * random()
      say(`banks: ${victim.name} stands still for ${Math.round(still_ms / 1000)} s`)
      await victim.freeze(still_ms)
      continue
    }
    say(`banks: killing ${victim.name}`)
    victim.kill()
  }
}

/** Longer than any lease of a job or of an instruction here. */
const FREEZE_MAX_MS = 40_000

/** Every few seconds the doorbell forgets all that it was told. */
export async function forgetJobs(db: Knex, { isOver }: Harm): Promise<number> {
  let deleted = 0
  while (!isOver()) {
    await sleep(FORGET_EVERY_MS)
    deleted += await db('bullmq.job').del()
  }
  return deleted
}

const FORGET_EVERY_MS = 5_000
