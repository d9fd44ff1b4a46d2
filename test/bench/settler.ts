/** Makes batches that are due, in a process of its own as a worker is: so long, at that pace. */
import { pino } from 'pino'
import { readConfig } from '../../services/config.ts'
import { closeContext, type Context, openContext } from '../../services/context.ts'
import { openMetrics } from '../../services/metrics.ts'
import { runSettlements, type Tally } from '../../services/settlements/run.ts'

export interface Opening {
  readonly environment: Readonly<Record<string, string>>
  /** How far the clock is ahead. */
  readonly ahead_ms: number
}

export interface Going {
  readonly time_ms: number
  readonly pace_percent: number
}

let context: Context | undefined

async function answer(question: Opening | Going): Promise<Tally | 'open'> {
  if ('environment' in question) {
    const { environment, ahead_ms } = question
    context = openContext({
      ...{ config: readConfig({ ...environment }), role: 'florin_worker' },
      ...{ log: pino({ level: 'warn' }), metrics: openMetrics('bench') },
      now: () => new Date(Date.now() + ahead_ms),
    })
    return 'open'
  }
  if (context === undefined) throw new Error('the settler is not open')
  return runSettlements(context, question)
}

process.on('message', (question) => {
  void answer(question as Opening | Going).then((tally) => process.send?.(tally))
})
process.once('disconnect', () => void (context && closeContext(context)))
