/** A sanctions list whose file cannot be read for a while. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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

  it('is not failing any more once it is there again, as it was', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'florin-list-')), 'list.ndjson')
    await writeFile(file, '{"id":"a","name":"Ada Grim"}\n')
    const log = { info: () => {}, error: () => {} }
    const list = openFileList({
      ...{ file, log, bytesMax: 1_000_000, namesMax: 100, lookEvery_ms: 0 },
    })
    const asked = () => list.check(['Ada Grim'])
    await asked()
    await rename(file, `${file}.away`)
    await until(async () => (await asked()) && list.isFailing())
    await rename(`${file}.away`, file)
    await until(async () => (await asked()) && !list.isFailing())
    await rm(dirname(file), { recursive: true })
  })
})
