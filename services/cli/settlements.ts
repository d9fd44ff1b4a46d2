/** `florin settlements run`: every batch that is due, now, with a line of progress. */
import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { closeContext, openContext } from '../context.ts'
import { openLog } from '../log.ts'
import { openMetrics } from '../metrics.ts'
import { runSettlements, type Tally } from '../settlements/run.ts'
import { type Command, counted, progressLine } from './terminal.ts'

export const runDueSettlements: Command = {
  args: '',
  summary: 'Make every batch that is due now (the settings of the worker)',
  async run(words, terminal) {
    parseArgs({ args: [...words], options: {} })
    const config = readConfig()
    const role = 'florin_worker'
    const log = openLog({ level: config.LOG_LEVEL, name: 'florin settlements' })
    const context = openContext({ config, role, log, metrics: openMetrics(role) })
    const started = performance.now()
    const onProgress = ({ turns }: Readonly<Tally>, left: number) => {
      const elapsed_s = (performance.now() - started) / 1000
      terminal.progress(progressLine('merchants', { done: turns, of: turns + left }, elapsed_s))
    }
    try {
      const { turns, batches, carried, postponed } = await runSettlements(context, { onProgress })
      terminal.done()
      terminal.say(`${counted(turns)} merchants were due`)
      terminal.say(`${counted(batches)} batches were made, ${counted(carried)} pay nothing out yet`)
      if (postponed > 0) terminal.complain(`${counted(postponed)} merchants are tried again`)
      return postponed === 0 ? 0 : 1
    } finally {
      terminal.done()
      await closeContext(context)
    }
  },
}
