/** The HTTP edge: Koa in, problem details out. Nothing below this folder sees a Koa context. */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import Router from '@koa/router'
import Koa from 'koa'
import helmet from 'koa-helmet'
import { v7 } from 'uuid'
import type { z } from 'zod'
import type { Context } from '../context.ts'
import { type ErrorCode, ServiceError } from '../errors.ts'
import { type Guesses, holdsGuess, openGuesses } from '../identity/guesses.ts'
import { addressOf } from './addresses.ts'
import { readBytes, readJson, BODY_BYTES_MAX } from './body.ts'
import { callerOf, ownerOf } from './callers.ts'
import type { AnyEndpoint, AnyRequest, PublicEndpoint, Reply, Streamed } from './endpoint.ts'
import { claimOfRequest, keyOf, type Once, openOnce } from './idempotency.ts'
import { type Problem, problemOf, problemOfError } from './problems.ts'
import { openRates, type Rates } from './rates.ts'
import { openStrangers, type Strangers } from './strangers.ts'
import { openStreams, type Streams } from './streams.ts'

/** Slow clients are cut off rather than waited for. Milliseconds, bytes and requests. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 8 * 1024,
  connectionsCheckingInterval: 1_000,
} as const

export interface Api {
  readonly endpoints: readonly AnyEndpoint[]
  readonly publicEndpoints: readonly PublicEndpoint[]
}

/** A server that is not listening yet. */
export function openServer(context: Context, api: Api): Server {
  const app = new Koa({ proxy: false })
  app.use(helmet({ contentSecurityPolicy: { directives: { 'script-src': ["'self'"] } } }))
  // Whoever keeps a connection busy would be served for ever: a server that closes says goodbye.
  app.use(async (ctx, next) => {
    await next()
    if (!server.listening) ctx.set('Connection', 'close')
  })
  app.use(outermost(context))
  const router = new Router()
  const edge = openEdge(context)
  for (const one of api.publicEndpoints)
    router.register(one.path, [one.method], openTo(context, edge, one))
  for (const one of api.endpoints)
    router.register(one.path, [one.method], guarded(context, edge, one))
  app.use(router.routes())
  app.use(refuseMethod)
  app.on('error', (error: Error) => context.log.warn({ err: error }, 'connection'))
  const answer = app.callback()
  const answering = new WeakMap<Duplex, IncomingMessage>()
  const server = createServer(LIMITS, (request, response) => {
    answering.set(request.socket, request)
    response.once('close', () => answering.delete(request.socket))
    void answer(request, response)
  })
  return server.on('clientError', (error, socket) => {
    // A request that came whole is being answered: a refusal would be read as its answer.
    if (answering.get(socket)?.complete === true) socket.destroy()
    else refuseUnreadable(error, socket)
  })
}

/** Node gives up on what is not HTTP, too slow or too long before Koa sees it; we say why. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const code = UNREADABLE[error.code ?? ''] ?? 'invalid_request'
  const { status, body } = problemOf(code)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const UNREADABLE: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}

/** Asked every few seconds by machines: of no interest when they are answered. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

/** Reached only by what no route has answered: another method of a path we know, or nothing. */
const refuseMethod: Koa.Middleware = (ctx) => {
  const layers = (ctx['matched'] ?? []) as readonly { readonly methods: readonly string[] }[]
  const methods = layers.flatMap((layer) => layer.methods)
  if (methods.length === 0) throw new ServiceError('not_found')
  ctx.set('Allow', methods.join(', '))
  throw new ServiceError('method_not_allowed')
}

/** Gives each request an id, answers what was thrown, and measures. */
function outermost(context: Context): Koa.Middleware {
  const { log, metrics } = context
  return async (ctx, next) => {
    const started = performance.now()
    const requestId = v7()
    ctx.set('X-Request-Id', requestId)
    ctx.set('Cache-Control', 'no-store')
    try {
      await next()
    } catch (error) {
      const problem = problemOfError(error)
      if (problem === undefined) log.error({ err: error, request: requestId }, 'internal error')
      renderProblem(ctx, problem ?? problemOf('internal'))
    }
    const duration_s = (performance.now() - started) / 1000
    const route = String(ctx._matchedRoute ?? 'none')
    const { method, status } = ctx
    metrics.requestAnswered({ method, route, status }, duration_s)
    const ms = Math.round(duration_s * 100_000) / 100
    const level = PROBES.has(route) ? 'debug' : 'info'
    log[level]({ method, route, status, ms, request: requestId }, 'answered')
  }
}

/** What all requests of a process share. */
interface Edge {
  readonly once: Once
  readonly streams: Streams
  readonly rates: Rates
  readonly strangers: Strangers
  readonly guesses: Guesses
}

function openEdge(context: Context): Edge {
  const rates = openRates(context.config, context.now)
  return {
    ...{ once: openOnce(context), streams: openStreams(), rates },
    ...{ strangers: openStrangers(rates), guesses: openGuesses(context) },
  }
}

function guarded(context: Context, edge: Edge, endpoint: AnyEndpoint): Koa.Middleware {
  const { once, streams, strangers } = edge
  const route = `${endpoint.method} ${endpoint.path}`
  return async (ctx) => {
    const address = addressOf(ctx.req, context.config.TRUSTED_PROXIES)
    const shown = shownBy(ctx)
    const credential = await strangers.verified({ address, shown: shown.authorization }, () =>
      context.credentials.verify(shown, context.now()),
    )
    const caller = await callerOf(context, credential, endpoint)
    const params = parseParams(endpoint.params, ctx['params'])
    const query = parse(endpoint.query, { ...ctx.query })
    const key = keyOf(ctx.req.headers['idempotency-key'])
    if (endpoint.idempotency === 'required' && key === undefined) {
      throw new ServiceError('idempotency_key_missing')
    }
    const json =
      endpoint.body === undefined ? undefined : await readJson(ctx.req, endpoint.bytesMax)
    const body = parse(endpoint.body, json)
    const claim =
      key === undefined || endpoint.idempotency === undefined
        ? undefined
        : claimOfRequest(ownerOf(caller), route, key, { params, body: json })
    const request = { caller, params, query, body, claim, idempotencyKey: key ?? '', address }
    const work = () => handled(context, edge, endpoint, request)
    const reply = claim === undefined ? await work() : await once.run(claim, work)
    if ('stream' in reply) streams.answer(ctx, ownerOf(caller), reply)
    else await render(context, ctx, endpoint, reply)
  }
}

/** Nothing else in a request says who it is from. */
const shownBy = (ctx: Koa.Context) => ({
  ...{ authorization: ctx.get('Authorization'), proof: ctx.get('DPoP') },
  ...{ method: ctx.method, path: ctx.path },
})

/** A request that is no repetition. Only now is it counted, and only then are PINs looked at. */
async function handled(
  context: Context,
  { rates, guesses }: Edge,
  endpoint: AnyEndpoint,
  request: AnyRequest,
): Promise<Reply | Streamed> {
  const { caller, address, body } = request
  if (endpoint.rate !== undefined) {
    rates.refuse(endpoint.rate, ownerOf(caller))
    rates.count(endpoint.rate, ownerOf(caller))
  }
  const work = () => endpoint.handle(context, request)
  return holdsGuess(body) ? guesses.from(address, work) : work()
}

function openTo(context: Context, { rates }: Edge, endpoint: PublicEndpoint): Koa.Middleware {
  return async (ctx) => {
    if (endpoint.rate !== undefined) {
      // By address too: who only pretends to be a bank uses up nothing of the bank's.
      const address = addressOf(ctx.req, context.config.TRUSTED_PROXIES)
      const who = [...Object.values(ctx['params']), address].join(' ')
      rates.refuse(endpoint.rate, who)
      rates.count(endpoint.rate, who)
    }
    const bytes = await readBytes(ctx.req, endpoint.bytesMax ?? BODY_BYTES_MAX)
    const { headers } = ctx.req
    const reply = await endpoint.handle(context, { params: ctx['params'], headers, bytes })
    await render(context, ctx, endpoint, reply)
  }
}

async function render(
  context: Context,
  ctx: Koa.Context,
  endpoint: AnyEndpoint | PublicEndpoint,
  reply: Reply,
): Promise<void> {
  const shown = 'shown' in endpoint ? endpoint.shown : undefined
  if (!('answer' in reply)) {
    ctx.status = reply.status
    if (reply.body === undefined) return
    ctx.type = reply.contentType ?? 'application/json'
    const text = typeof reply.body === 'object' ? JSON.stringify(reply.body) : reply.body
    ctx.body = shown === undefined || typeof text !== 'string' ? text : await shown(context, text)
    return
  }
  if (reply.replayed) ctx.set('Idempotent-Replayed', 'true')
  const body: { refused?: string; state?: string } = JSON.parse(reply.answer)
  if (body.refused !== undefined) {
    renderProblem(ctx, problemOf(body.refused))
    return
  }
  const statusOf = 'statusOf' in endpoint ? endpoint.statusOf : undefined
  ctx.status = statusOf?.(body) ?? Number(Object.keys(endpoint.answers)[0])
  ctx.type = 'application/json'
  ctx.body = shown === undefined ? reply.answer : await shown(context, reply.answer)
}

function renderProblem(ctx: Koa.Context, problem: Problem): void {
  ctx.status = problem.status
  ctx.set(problem.headers)
  ctx.body = problem.body
  ctx.type = 'application/problem+json'
}

/** An id that cannot be one names nothing. */
function parseParams(schema: z.ZodType | undefined, params: unknown): unknown {
  if (schema === undefined) return params
  const parsed = schema.safeParse(params)
  if (!parsed.success) throw new ServiceError('not_found')
  return parsed.data
}

/** @throws {ServiceError} `invalid_request` naming every property that is wrong, not its value. */
function parse(schema: z.ZodType | undefined, given: unknown): unknown {
  if (schema === undefined) return undefined
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, FAULTS_MAX).map(faultOf)
  throw new ServiceError('invalid_request', { detail: faults.join('; ') })
}

const FAULTS_MAX = 10

function faultOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.') || 'body'
  if (issue.code === 'unrecognized_keys') return `${path}: unknown property`
  return `${path}: ${issue.message}`
}
