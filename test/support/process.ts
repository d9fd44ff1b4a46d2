/** The API as a process of its own, as it is deployed: to be measured, or seen to refuse. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Config } from '../../services/config.ts'
import { inherited } from '../../services/config.ts'
import { freePort } from './ports.ts'

const ROOT = new URL('../../', import.meta.url)

const base64 = (bytes: Buffer) => bytes.toString('base64')

/** @param settings beside those of the world, as the environment has them. */
function startProcess(config: Config, settings: Readonly<Record<string, string>>) {
  const told = {
    ...{ NODE_ENV: 'test', LOG_LEVEL: 'silent', PORT: '0', REDIS_URL: '' },
    ...{ DATABASE_URL: config.DATABASE_URL, DATABASE_DURABILITY: config.DATABASE_DURABILITY },
    TOKEN_ISSUERS: JSON.stringify(config.TOKEN_ISSUERS),
    ...{ PIN_PEPPER: base64(config.PIN_PEPPER), BLIND_INDEX_KEY: base64(config.BLIND_INDEX_KEY) },
    DATA_KEYS: JSON.stringify(config.DATA_KEYS.map(({ kid, key }) => ({ kid, key: base64(key) }))),
    BANKS: JSON.stringify(config.BANKS),
    ...settings,
  }
  const collecting = ['--expose-gc', '--import', './test/support/collect.mjs']
  return spawn(process.execPath, [...collecting, 'services/run.mjs', 'services/api.ts'], {
    ...{ cwd: ROOT, env: { ...inherited(), ...told } },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
}

/** @param settings beside those of the world, as the environment has them. */
export async function newProcess(config: Config, settings: Readonly<Record<string, string>> = {}) {
  const port = await freePort()
  const child = startProcess(config, { PORT: `${port}`, ...settings })
  const logged: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => logged.push(chunk))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const gone = ended.then((code) => Promise.reject(new Error(`the process ended with ${code}`)))
  gone.catch(() => {})
  await Promise.race([once(child, 'message'), gone])
  const url = `http://127.0.0.1:${port}`
  return {
    ...{ url, port },
    /** Its exit code, once it has one and has said all that it had to say. */
    ended,
    /** What it has logged: an object a line, unless something else wrote there. */
    logged: () => Buffer.concat(logged).toString().trim().split('\n'),
    signal: (name: NodeJS.Signals) => void child.kill(name),
    /** As the process says itself, of what it cannot let go of: its garbage is collected first. */
    async rss_mb() {
      child.kill('SIGUSR2')
      await once(child, 'message')
      const text = await (await fetch(`${url}/metrics`)).text()
      const bytes = /^\w*process_resident_memory_bytes\S* (\S+)$/m.exec(text)?.[1]
      if (bytes === undefined) throw new Error('the process does not say how large it is')
      return Number(bytes) / 1024 / 1024
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** What a process says that does not start, and its exit code. */
export async function refusal(config: Config, settings: Readonly<Record<string, string>>) {
  const child = startProcess(config, settings)
  const said: Buffer[] = []
  child.stdout?.resume()
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
  const started = once(child, 'message').then(() => child.kill('SIGTERM'))
  started.catch(() => {})
  const [code] = await once(child, 'close')
  return { code: code as number | null, said: Buffer.concat(said).toString() }
}
