/** A sanctions list whose file cannot be read for a while. */
import { expect } from 'chai'
import { openFileList } from '../services/risk/list_file.ts'
import { until } from './support/abuse.ts'

/** Nobody writes into it, so it stays as it is. */
const FOLDER = import.meta.dirname

describe('a list in a file', () => {
  it('that could not be read is read at the next look, though it has not changed', async () => {
    const reasons: unknown[] = []
    const log = { info: () => {}, error: (said: unknown) => void reasons.push(said) }
    const bounds = { bytesMax: 1_000_000, namesMax: 100, lookEvery_ms: 0 }
    // Its size and age can be told, and its bytes cannot be read.
    const list = openFileList({ file: FOLDER, log, ...bounds })
    await until(async () => {
      await list.check(['Ada Grim']).catch(() => {})
      return reasons.length > 1
    })
    expect(list.isFailing()).to.equal(true)
    expect(reasons[1]).to.deep.equal({ reason: 'EISDIR' })
  })
})
