/** Answers as they are written: what an endpoint replies, or why it was refused. */
import type Koa from 'koa'
import type { Context } from '../context.ts'
import {
  type AnyEndpoint,
  type PublicEndpoint,
  type Reply,
  type StoredBody,
  storedStatus,
} from './endpoint.ts'
import { type Problem, problemOf } from './problems.ts'

export async function render(
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
    if (Buffer.isBuffer(reply.body)) {
      ctx.body = reply.body
      return
    }
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    ctx.body = shown === undefined ? text : await shown(context, text)
    return
  }
  if (reply.replayed) ctx.set('Idempotent-Replayed', 'true')
  const { made } = reply
  const body: StoredBody & { refused?: string } = made ?? JSON.parse(reply.answer)
  if (body.refused !== undefined) {
    renderProblem(ctx, problemOf(body.refused))
    return
  }
  ctx.status = storedStatus(endpoint, body)
  ctx.type = 'application/json'
  ctx.body = shown === undefined ? reply.answer : await shown(context, reply.answer, made)
}

export function renderProblem(ctx: Koa.Context, problem: Problem): void {
  ctx.status = problem.status
  ctx.set(problem.headers)
  ctx.body = problem.body
  ctx.type = 'application/problem+json'
}
