/** The process that seals while others pay, as the worker does: again and again, until told. */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../ledger/index.ts'
import { SEAL } from './seal.ts'

const PAUSE_MS = 10

async function run(url: string): Promise<void> {
  const db = connect({ url, connectionsMax: 2, applicationName: 'florin bench sealer' })
  const over = new AbortController()
  process.once('disconnect', () => over.abort())
  process.send?.('ready')
  while (!over.signal.aborted) {
    await SEAL?.(db)
    await sleep(PAUSE_MS)
  }
  await db.destroy()
}

process.once('message', (url: string) => void run(url))
