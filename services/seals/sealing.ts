/** Sealing, again and again, in the worker. Any number of workers: one seals, the others pass. */
import { seal, type Sealed } from '../../ledger/index.ts'
import type { Context } from '../context.ts'

export interface Sealing {
  /** Seals what is new. Undefined when another worker is at it. */
  readonly run: () => Promise<Sealed | undefined>
}

export function openSealing(context: Context): Sealing {
  const { config, db, sealKeys, metrics, log, now } = context
  const { sign } = sealKeys
  let [size, sealedAt] = [0, now().getTime()]
  metrics.gauge('florin_sealed_transfers', 'Transfers that are sealed', () => size)
  metrics.gauge(
    'florin_seal_lag_seconds',
    'Time since this worker last saw everything sealed',
    () => (now().getTime() - sealedAt) / 1000,
  )
  const options = {
    origin: config.SEAL_ORIGIN,
    ...(sign && { sign: (head: object) => sign('florin-checkpoint', head) }),
  }
  return {
    async run() {
      const startedAt = now().getTime()
      const sealed = await seal(db, options)
      if (sealed === undefined) return undefined
      ;[size, sealedAt] = [sealed.size, startedAt]
      if (sealed.isRestored) {
        log.error(
          { ...sealed },
          'the books were restored elsewhere: compared all ids with the seals',
        )
      }
      return sealed
    },
  }
}
