/** The file bank's side of the directory of exchange, and where it keeps what it took. */
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Waiting {
  readonly bytes: AsyncIterable<Uint8Array>
  readonly take: () => Promise<void>
  readonly refuse: (reason: string) => Promise<void>
}

export interface Day {
  readonly sequence: number
  /** Which lines of the books its statement tells. */
  readonly from: number
  readonly to: number
}

export type Desk = Awaited<ReturnType<typeof desk>>

export async function desk(folder: string, archive: string) {
  const [out, into] = [join(folder, 'out'), join(folder, 'in')]
  const [taken, refused] = [join(archive, 'taken'), join(archive, 'refused')]
  for (const one of [out, into, taken, refused]) await mkdir(one, { recursive: true })
  const dayFile = join(archive, 'day.json')

  const namesIn = async (place: string) =>
    (await readdir(place)).filter((name) => name.endsWith('.xml')).sort()

  return {
    async *waiting(): AsyncGenerator<Waiting> {
      for (const name of await namesIn(out))
        yield {
          bytes: createReadStream(join(out, name)),
          take: () => rename(join(out, name), join(taken, name)),
          async refuse(reason) {
            await rename(join(out, name), join(refused, name))
            await writeFile(join(refused, `${name}.reason`), `${reason}\n`)
          },
        }
    },

    async *taken(): AsyncGenerator<Pick<Waiting, 'bytes'>> {
      for (const name of await namesIn(taken)) yield { bytes: createReadStream(join(taken, name)) }
    },

    async send(name: string, text: string): Promise<void> {
      const unfinished = join(into, `${name}.part`)
      await writeFile(unfinished, text)
      await rename(unfinished, join(into, name))
    },

    async lastDay(): Promise<Day> {
      const text = await readFile(dayFile, 'utf8').catch(() => '{"sequence":0,"from":0,"to":0}')
      return JSON.parse(text)
    },

    async endDay(day: Day): Promise<void> {
      await writeFile(`${dayFile}.part`, JSON.stringify(day))
      await rename(`${dayFile}.part`, dayFile)
    },
  }
}
