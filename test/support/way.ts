/** A way to the world's database on which connections go silent, or break, when a test says so. */
import { once } from 'node:events'
import { connect as dial, createServer, type Socket } from 'node:net'
import pg from 'pg'
import { world } from './world.ts'

export interface Way {
  readonly url: string
  /** What was made before is dead from here on, and nobody is told. @returns how many. */
  readonly hush: () => number
  /** Breaks each connection when it says one of these words, or at once: none of them. */
  readonly breakAt: (words?: string) => void
  /** How many broke, since then. */
  readonly broken: () => number
  readonly heal: () => void
  readonly close: () => void
}

export async function openWay(): Promise<Way> {
  const { url } = await world()
  const { host, port, user, database, password } = new pg.Client({ connectionString: url })
  const target = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
  const nears = new Set<Socket>()
  const hushing: (() => void)[] = []
  let [fatal, broken]: [string | undefined, number] = [undefined, 0]
  const server = createServer((near) => {
    const far = dial(target)
    near.on('data', (bytes) => {
      if (fatal === undefined || !bytes.includes(fatal)) return
      broken += 1
      near.destroy()
    })
    near.pipe(far).pipe(near)
    for (const one of [near, far]) {
      one.on('error', () => {}).on('close', () => [near, far].map((socket) => socket.destroy()))
    }
    nears.add(near.on('close', () => nears.delete(near)))
    hushing.push(() => [near, far].map((socket) => socket.unpipe().resume()))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port: here } = server.address() as { port: number }
  const secret = password ? `:${password}` : ''
  return {
    url: `postgres://${user}${secret}@127.0.0.1:${here}/${database}`,
    hush: () => hushing.splice(0).map((one) => one()).length,
    breakAt(words = '') {
      ;[fatal, broken] = [words, 0]
      if (words === '') for (const near of nears) near.destroy()
    },
    broken: () => broken,
    heal: () => void (fatal = undefined),
    close: () => void server.close(),
  }
}
