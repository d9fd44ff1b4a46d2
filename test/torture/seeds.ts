/**
 * Streams of chance, each with a name. Seeds that are numbered beside each other share streams:
 * what is the third of one run would be the second of the next, and three runs the same one.
 */
import { createHash } from 'node:crypto'
import { randomOf } from '../support/random.ts'

/** Of the stream that is called so in the run of that seed. */
export const seedOf = (seed: number, name: string): number =>
  createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE(0)

export const streamOf = (seed: number, name: string) => randomOf(seedOf(seed, name))
