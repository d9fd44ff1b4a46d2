/**
 * `npm start`: everything on one machine, from nothing. An embedded Postgres, the API, a worker and
 * the sandbox, then the story, then it serves until Ctrl-C.
 */
import { createServer } from 'node:net'
import { access, constants, mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { inherited, readStartConfig } from './config.ts'
import { explain } from './local/errors.ts'
import { type Child, startChild } from './local/processes.ts'
import { openLocalDatabase } from './local/database.ts'
import { layOut, type Layout } from './sandbox/layout.ts'
import { banner, openTeller } from './sandbox/teller.ts'
import { openClient } from './sandbox/client.ts'
import { play, setTheStage } from './sandbox/story.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

const config = readStartConfig()
const dataDir = resolve(config.DATA_DIR)
const withStory = !process.argv.includes('--no-demo')
const closers: (() => Promise<void>)[] = []
let stopping: Promise<void> | undefined

/** The last thing that was opened is closed first. */
function stop(code: number): void {
  stopping ??= (async () => {
    for (const close of closers.reverse()) await close().catch(() => {})
    process.exit(code)
  })()
}

process.once('SIGINT', () => {
  say('\nstopping ...')
  stop(0)
})
process.once('SIGTERM', () => stop(0))

async function main(): Promise<void> {
  const started = performance.now()
  await makeDataDir()
  const layout = await layOut(config, dataDir)
  await Promise.all(layout.ports.map(refuseTakenPort))
  const folder = join(dataDir, 'postgres')
  const database = await openLocalDatabase(config.DATABASE_URL, folder, say, layout.vaultKeys)
  closers.push(database.close)
  await startProcesses(layout, database.urlOf)

  const client = openClient(layout.apiUrl, layout.tokenUrl)
  const tell = openTeller(say)
  const accounts = await setTheStage(client, withStory ? tell : () => {}, layout.shopUrl)
  if (withStory) await play(client, tell, accounts, layout.shopUrl)
  say(banner(layout, performance.now() - started))
}

/** On a read-only disk `mkdir` says that a folder is missing; asking to write there says why. */
async function makeDataDir(): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true })
    await access(dataDir, constants.W_OK)
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const reason = isMissing ? await writeError(dirname(dataDir)) : error
    throw explain(`the data folder ${dataDir} cannot be written`, reason ?? error)
  }
}

const writeError = (folder: string): Promise<unknown> =>
  access(folder, constants.W_OK).then(
    () => undefined,
    (error: unknown) => error,
  )

async function startProcesses(layout: Layout, urlOf: (role: string) => string): Promise<void> {
  const processes = layout.processes(urlOf)
  const children = await Promise.allSettled(
    processes.map(({ name, script, env }) =>
      startChild({
        ...{ name, script, env: { ...inherited(), ...env } },
        logFile: join(dataDir, `${name}.log`),
        onRestart: say,
        onGiveUp: (reason) => {
          say(reason)
          stop(1)
        },
      }),
    ),
  )
  const running = children.flatMap((child): Child[] =>
    child.status === 'fulfilled' ? [child.value] : [],
  )
  closers.push(async () => {
    await Promise.all(running.map((child) => child.stop()))
  })
  const failed = children.find((child) => child.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** A taken port is found before anything is started, and named. */
async function refuseTakenPort(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      reject(
        isTaken ? new Error(`port ${port} is taken; start with PORT=... set to another`) : error,
      )
    })
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()))
  })
}

main().catch((error: unknown) => {
  if (stopping !== undefined) return
  process.stderr.write(`florin cannot start: ${oneLine(error)}\n`)
  stop(1)
})

const oneLine = (error: unknown) => (error instanceof Error ? error.message : String(error))
