/**
 * One webhook over the wire. Whatever address a name has at this moment is looked at before there
 * is a connection to it: a name that has changed its mind since it was registered leads nowhere.
 */
import { Resolver } from 'node:dns/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import type { Config } from '../config.ts'
import { isPublicAddress } from './addresses.ts'
import { faultOf } from './targets.ts'

/** Why nothing came back. */
export type Fault = 'timeout' | 'blocked' | 'unreachable' | 'interrupted'

export interface Answered {
  readonly status: number
  /** How the answer began. */
  readonly excerpt: string
}

export interface Message {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Poster {
  /** Never fails: what went wrong is the answer. Redirects are answers, and not followed. */
  readonly post: (message: Message) => Promise<Answered | { readonly fault: Fault }>
  /** Breaks off what is under way. */
  readonly close: () => void
}

export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

/** All addresses of a name; empty where it has none. */
export type Resolve = (name: string) => Promise<readonly Address[]>

/** So much of an answer is read; what comes after that nobody needs. */
const ANSWER_BYTES_MAX = 64 * 1024
const EXCERPT_LENGTH_MAX = 500
/** How long a connection waits for the next message. */
const IDLE_MS = 15_000

class Blocked extends Error {}

function agentsOf({ WEBHOOK_SLOTS }: Config) {
  const options = { keepAlive: true, maxFreeSockets: WEBHOOK_SLOTS, timeout: IDLE_MS }
  return { 'http:': new http.Agent(options), 'https:': new https.Agent(options) }
}

export function openPoster(config: Config, resolve: Resolve = openResolve()): Poster {
  const agents = agentsOf(config)
  /** One each: a signal that lives longer than what is made of it keeps a word of every one. */
  const underWay = new Set<AbortController>()
  let isClosing = false
  const lookup = guardedLookup(config, resolve)

  async function attempt(message: Message, signal: AbortSignal): Promise<Answered> {
    const url = new URL(message.url)
    // An address in the URL itself is never looked up.
    if (faultOf(config, url) !== undefined) throw new Blocked()
    const { request } = url.protocol === 'https:' ? https : http
    const agent = agents[url.protocol as keyof typeof agents]
    const headers = { ...message.headers, 'content-length': Buffer.byteLength(message.body) }
    // It asks for all addresses of a name, which is what `lookup` answers with.
    const how = { method: 'POST', agent, lookup, autoSelectFamily: true } as const
    const sent = request(url, { ...how, headers, signal })
    try {
      return await answerTo(sent, message.body)
    } catch (error) {
      // It was closed at the other end while it waited: nobody has read anything.
      if (sent.reusedSocket && isReset(error)) return attempt(message, signal)
      throw error
    }
  }

  return {
    async post(message) {
      if (isClosing) return { fault: 'interrupted' }
      const ending = new AbortController()
      underWay.add(ending)
      const late = setTimeout(() => ending.abort('timeout'), config.WEBHOOK_TIMEOUT_MS)
      try {
        return await attempt(message, ending.signal)
      } catch (error) {
        if (error instanceof Blocked) return { fault: 'blocked' }
        const { aborted, reason } = ending.signal
        return { fault: aborted ? (reason as Fault) : 'unreachable' }
      } finally {
        clearTimeout(late)
        underWay.delete(ending)
      }
    },
    close() {
      isClosing = true
      for (const ending of underWay) ending.abort('interrupted')
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

/** Asks the name servers themselves: threads that read files and hash PINs wait for nobody. */
function openResolve(): Resolve {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  return async (name) => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const found = (answer: PromiseSettledResult<string[]>, family: 4 | 6): readonly Address[] =>
      answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : []
    return [...found(four, 4), ...found(six, 6)]
  }
}

/** One address that is not public is enough: whoever owns the name chooses which one is taken. */
const guardedLookup = ({ WEBHOOK_TARGETS }: Config, resolve: Resolve): LookupFunction =>
  callbackify(async (name: string, _options: unknown) => {
    const found = await resolve(name.replace(/\.$/, ''))
    if (found.length === 0) throw new Error(`${name} has no address`)
    const isAllowed = ({ address }: Address) =>
      WEBHOOK_TARGETS === 'any' || isPublicAddress(address)
    if (!found.every(isAllowed)) throw new Blocked()
    return [...found]
  })

const isReset = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNRESET'

/** The head of the answer is what counts; its body is read as far as it comes in time. */
const answerTo = (request: http.ClientRequest, body: string): Promise<Answered> =>
  new Promise((resolve, reject) => {
    let isAnswered = false
    request.once('error', reject)
    // Who changes the protocol is hung up on without another word: it has not answered.
    request.once('close', () => isAnswered || reject(new Error('closed without an answer')))
    request.once('response', (response) => {
      isAnswered = true
      const chunks: Buffer[] = []
      let bytes = 0
      const finish = () => {
        resolve({ status: response.statusCode ?? 0, excerpt: excerptOf(Buffer.concat(chunks)) })
      }
      response.once('end', finish).once('close', finish).once('error', finish)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes >= ANSWER_BYTES_MAX) response.destroy()
      })
    })
    request.end(body)
  })

/** As it can be kept and shown. */
const excerptOf = (bytes: Buffer): string =>
  bytes
    .toString('utf8', 0, EXCERPT_LENGTH_MAX * 4)
    .slice(0, EXCERPT_LENGTH_MAX)
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ')
