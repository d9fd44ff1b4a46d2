/** Around every request: its id, what becomes of what was thrown, and how long it took. */
import type { ServerResponse } from 'node:http'
import type Koa from 'koa'
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { notedOf } from '../security/failures.ts'
import { type Origin, recordFailure } from '../security/log.ts'
import { addressOf } from './addresses.ts'
import { PROBES } from './operations.ts'
import { type Problem, problemOf, problemOfError } from './problems.ts'
import { renderProblem } from './render.ts'

/** What the edge knows of a request before and beside its endpoint. */
interface RequestState {
  origin: Origin
}

export const stateOf = (ctx: Koa.Context) => ctx.state as RequestState
const routeOf = (ctx: Koa.Context) => String(ctx['_matchedRoute'] ?? 'none')

/** Attempts to do what is not allowed leave a row in the security log, whoever refused them. */
async function recordRefusal(
  context: Context,
  ctx: Koa.Context,
  error: unknown,
  { code }: Problem,
): Promise<void> {
  const noted = notedOf(error, code)
  if (noted === undefined) return
  const detail = { code, method: ctx.method, route: routeOf(ctx) }
  await recordFailure({ ...context, origin: stateOf(ctx).origin }, { ...noted, detail })
}

/**
 * Gives each request an id, answers what was thrown, and measures.
 * @param isLast whether the connection is closed with the answer.
 */
export function outermost(
  context: Context,
  isLast: (response: ServerResponse) => boolean,
): Koa.Middleware {
  const { log, metrics } = context
  return async (ctx, next) => {
    const started = performance.now()
    const requestId = newId()
    const address = addressOf(ctx.req, context.config.TRUSTED_PROXIES)
    const origin = { requestId, address }
    ctx.state = { origin } satisfies RequestState
    ctx.set('X-Request-Id', requestId)
    ctx.set('Cache-Control', 'no-store')
    try {
      await next()
    } catch (error) {
      const problem = problemOfError(error)
      if (problem === undefined) log.error({ err: error, request: requestId }, 'internal error')
      if (problem !== undefined) await recordRefusal(context, ctx, error, problem)
      renderProblem(ctx, problem ?? problemOf('internal'))
    }
    if (isLast(ctx.res)) ctx.set('Connection', 'close')
    const duration_s = (performance.now() - started) / 1000
    const route = routeOf(ctx)
    const { method, status } = ctx
    metrics.requestAnswered({ method, route, status }, duration_s)
    const level = PROBES.has(route) ? 'debug' : 'info'
    if (!log.isLevelEnabled(level)) return
    const ms = Math.round(duration_s * 100_000) / 100
    log[level]({ method, route, status, ms, request: requestId }, 'answered')
  }
}
