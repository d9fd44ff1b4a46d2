/** Ports for whatever must know its own before it listens. */
import { createServer } from 'node:net'

/**
 * Below those that the system gives to callers: what is free now is free a moment later. Above
 * 10080, which `fetch` refuses as browsers do ("bad port"), whoever listens there.
 */
const [FIRST, LAST] = [10_100, 32_000]

/** Each process of a run has a stretch of its own, and goes through it from anywhere. */
const STRETCH = 2_000
const worker = Number(process.env['MOCHA_WORKER_ID'] ?? process.pid)
const from = FIRST + ((worker * STRETCH) % (LAST - FIRST - STRETCH))
let next = Math.floor(Math.random() * STRETCH)

export const freePort = (): Promise<number> => freePorts(1)

/** The first of so many in a row. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    if (next + count > STRETCH) next = 0
    const first = from + next
    next += count
    const probes = Array.from({ length: count }, (_, index) => isFree(first + index))
    if ((await Promise.all(probes)).every(Boolean)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
