/** The HTTP edge: Koa in, problem details out. Nothing below this folder sees a Koa context. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import Router from '@koa/router'
import Koa from 'koa'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Guesses, holdsGuess, openGuesses } from '../pins/guesses.ts'
import { openAdmission } from './admission.ts'
import { type JsonLimits, readBytes, readJson } from './body.ts'
import { browserHeaders } from './browsers.ts'
import { actorOf, bearerOf, callerOf, ownerOf, roleAt } from './callers.ts'
import type { AnyEndpoint, AnyRequest, PublicEndpoint, Reply, Streamed } from './endpoint.ts'
import { claimOfRequest, keyOf, type Once, openOnce } from './idempotency.ts'
import { outermost, stateOf } from './outermost.ts'
import { parse, parseParams } from './parse.ts'
import { openRates, type Rates } from './rates.ts'
import { render } from './render.ts'
import { openStrangers, type Strangers } from './strangers.ts'
import { openStreams, type Streams } from './streams.ts'
import { refuseUnreadable } from './unreadable.ts'
import { uploadIn } from './uploads.ts'

/** Slow clients are cut off rather than waited for, and looked for this often. */
const CHECKING_MS = 1_000

export interface Api {
  readonly endpoints: readonly AnyEndpoint[]
  readonly publicEndpoints: readonly PublicEndpoint[]
}

/** A server that is not listening yet. */
export function openServer(context: Context, api: Api): Server {
  const app = new Koa({ proxy: false })
  // Whoever keeps a connection busy would be served for ever: a server that closes says goodbye.
  const isLast = (response: ServerResponse) => !server.listening || isLastOf(response)
  app.use(outermost(context, isLast))
  useRoutes(app, context, api)
  app.use(refuseMethod)
  app.on('error', (error: Error) => context.log.warn({ err: error }, 'connection'))
  const headers = browserHeaders()
  const [always, answerOf] = [Object.entries(headers), app.callback()]
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of always) response.setHeader(name, value)
    return answerOf(request, response)
  }
  const answering = new WeakMap<Duplex, IncomingMessage>()
  const admission = openAdmission(context, { headers, isLast })
  const server = createServer(limitsOf(context.config), (request, response) => {
    answering.set(request.socket, request)
    response.once('close', () => answering.delete(request.socket))
    admission.enter(request, response, answer)
  })
  server.maxRequestsPerSocket = context.config.SOCKET_REQUESTS_MAX
  // Whatever else somebody expects of us, they are answered: we may ignore it (RFC 9110, 10.1.1).
  server.on('checkExpectation', (...asked) => server.emit('request', ...asked))
  return server.on('clientError', (error, socket) => {
    // A request that came whole is being answered: a refusal would be read as its answer.
    if (answering.get(socket)?.complete === true) socket.destroy()
    else refuseUnreadable(error, socket)
  })
}

/**
 * Most calls name no id in their path: these are found at once, and only for the others all
 * patterns are tried.
 */
function useRoutes(app: Koa, context: Context, api: Api): void {
  const [router, exact] = [new Router(), new Map<string, Koa.Middleware>()]
  const add = (method: string, path: string, answer: Koa.Middleware) => {
    router.register(path, [method], answer)
    if (!path.includes(':')) exact.set(`${method} ${path}`, answer)
  }
  const edge = openEdge(context)
  for (const one of api.publicEndpoints) add(one.method, one.path, openTo(context, edge, one))
  for (const one of api.endpoints) add(one.method, one.path, guarded(context, edge, one))
  app.use((ctx, next) => {
    const answer = exact.get(`${ctx.method} ${ctx.path}`)
    if (answer === undefined) return next()
    ctx['_matchedRoute'] = ctx.path
    ctx['params'] = {}
    return answer(ctx, next)
  })
  app.use(router.routes())
}

/**
 * Whether a socket has had its requests. Node says so to the client, and then waits for the client
 * to close it; said by us, the server closes it.
 */
const isLastOf = (response: ServerResponse & { maxRequestsOnConnectionReached?: boolean }) =>
  response.maxRequestsOnConnectionReached === true

const limitsOf = (config: Config) => ({
  headersTimeout: config.HEADERS_TIMEOUT_MS,
  requestTimeout: config.REQUEST_TIMEOUT_MS,
  keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_MS,
  maxHeaderSize: config.HEADERS_BYTES_MAX,
  connectionsCheckingInterval: CHECKING_MS,
})

/** Reached only by what no route has answered: another method of a path we know, or nothing. */
const refuseMethod: Koa.Middleware = (ctx) => {
  const layers = (ctx['matched'] ?? []) as readonly { readonly methods: readonly string[] }[]
  const methods = layers.flatMap((layer) => layer.methods)
  if (methods.length === 0) throw new ServiceError('not_found')
  ctx.set('Allow', methods.join(', '))
  throw new ServiceError('method_not_allowed')
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
    ...{ once: openOnce(context), streams: openStreams(context.config), rates },
    ...{ strangers: openStrangers(rates), guesses: openGuesses(context) },
  }
}

function guarded(context: Context, edge: Edge, endpoint: AnyEndpoint): Koa.Middleware {
  const { once, streams, strangers } = edge
  const route = `${endpoint.method} ${endpoint.path}`
  const { BODY_BYTES_MAX, JSON_DEPTH_MAX, JSON_KEYS_MAX } = context.config
  const { bytesMax = BODY_BYTES_MAX } = endpoint
  const limits = { bytesMax, depthMax: JSON_DEPTH_MAX, keysMax: JSON_KEYS_MAX }
  return async (ctx) => {
    const state = stateOf(ctx)
    const { caller, json, upload } = await received(context, strangers, endpoint, ctx, limits)
    const { requestId, address } = state.origin
    const origin = { requestId, address, actor: actorOf(caller) }
    state.origin = origin
    const owner = ownerOf(caller)
    const params = parseParams(endpoint.params, ctx['params'])
    // Koa would parse what is not there.
    const given = { params: ctx['params'], query: ctx.querystring === '' ? {} : { ...ctx.query } }
    const query = parse(endpoint.query, given.query)
    // Where nothing is done, nobody reads the key; elsewhere an approval may be bound to it.
    const key = endpoint.method === 'GET' ? undefined : keyOf(ctx.req.headers['idempotency-key'])
    if (endpoint.idempotency === 'required' && key === undefined) {
      throw new ServiceError('idempotency_key_missing')
    }
    const body = upload === undefined ? parse(endpoint.body, json) : undefined
    const claim =
      key === undefined || endpoint.idempotency === undefined || upload !== undefined
        ? undefined
        : claimOfRequest(owner, route, key, { params, body: json })
    const sent = { params: given.params, query: given.query, body: json }
    const idempotencyKey = key ?? ''
    const asking = { caller, params, query, body, sent, upload }
    const lastEventId = ctx.get('Last-Event-ID') || undefined
    const request = { ...asking, claim, address, idempotencyKey, lastEventId }
    const asked = { ...context, origin }
    // Looked up together with the answer, if there is one: a request waits for one round trip.
    const admission = caller.scope === 'person' ? caller.standing : undefined
    const work = async () => {
      await admission
      return handled(asked, edge, endpoint, request, owner)
    }
    const reply = claim === undefined ? await work() : await once.run(claim, work)
    await admission
    if ('stream' in reply) streams.answer(ctx, owner, reply)
    else await render(context, ctx, endpoint, reply)
  }
}

/** Who asks, and the body: read for nobody unknown, and nobody is looked up before it is there. */
async function received(
  context: Context,
  strangers: Strangers,
  endpoint: AnyEndpoint,
  ctx: Koa.Context,
  limits: JsonLimits,
) {
  const state = stateOf(ctx)
  const shown = shownBy(ctx)
  const { address } = state.origin
  const verify = () => context.credentials.verify(shown, context.now())
  const credential = await strangers.verified({ address, shown: shown.authorization }, verify)
  state.origin = { ...state.origin, actor: bearerOf(credential) }
  roleAt(credential, endpoint)
  const { uploadTypes: types = [] } = endpoint
  const upload = uploadIn(ctx.req, { types, bytesMax: context.config.STATEMENT_BYTES_MAX })
  if (endpoint.body === undefined || upload !== undefined) {
    return { caller: await callerOf(context, credential, endpoint), json: undefined, upload }
  }
  const json = await readJson(ctx.req, limits)
  // A key says nothing about itself: whether it is good was looked up, and is looked up again.
  const same = credential.kind === 'api_key' ? await verify() : credential
  return { caller: await callerOf(context, same, endpoint), json, upload }
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
  owner: string,
): Promise<Reply | Streamed> {
  const { address, body } = request
  if (endpoint.rate !== undefined) rates.use(endpoint.rate, owner)
  const work = () => endpoint.handle(context, request)
  return holdsGuess(body) ? guesses.from(address, work) : work()
}

function openTo(context: Context, { rates }: Edge, endpoint: PublicEndpoint): Koa.Middleware {
  const { config } = context
  const bytesMax = endpoint.bytesMax?.(config) ?? config.BODY_BYTES_MAX
  return async (ctx) => {
    const { origin } = stateOf(ctx)
    if (endpoint.isThere?.(context, ctx['params']) === false) throw new ServiceError('not_found')
    if (endpoint.rate !== undefined) {
      // By address too: who only pretends to be a bank uses up nothing of the bank's.
      const who = [...Object.values(ctx['params']), origin.address].join(' ')
      rates.use(endpoint.rate, who)
    }
    const bytes = await readBytes(ctx.req, bytesMax)
    const { headers } = ctx.req
    const asked = { ...context, origin }
    const reply = await endpoint.handle(asked, { params: ctx['params'], headers, bytes })
    await render(context, ctx, endpoint, reply)
  }
}
