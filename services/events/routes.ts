/** The event log over HTTP. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { ServiceError } from '../errors.ts'
import { idOut, isPublicId, uuidOf } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { EVENT_TYPES, filtersOf, isKnownFilter } from './catalogue.ts'
import { eventOut, findEvents } from './events.ts'
import { followEvents } from './stream.ts'

const EventOut = z
  .strictObject({
    id: idOut('evt'),
    type: z.enum(EVENT_TYPES),
    object: z.string().describe('The id of what it is about'),
    version: z
      .int()
      .describe(
        'Of the object: 1, 2, 3 ... What has a higher one is newer, in whatever order it comes',
      ),
    data: z.unknown().describe('The object as it was then'),
    created_at: Timestamp,
  })
  .meta({ id: 'Event' })

/** Whoever goes on shows who they are again: so long a key that was revoked is still good. */
const STREAM_MAX_MS = 300_000

export const eventEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/events', summary: 'What happened, newest first' },
    ...{ tag: 'Events', scopes: ['chat', 'merchant', 'operator'] },
    query: pageQuery('evt'),
    answers: { 200: listOf(EventOut) },
    shown: showPeople,
    refusals: [],
    handle: async ({ db }, { caller, query: { limit, cursor } }) => {
      const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
      const found = await findEvents(db, { merchant, before: cursor, limit })
      const told = found.map((event) => eventOut(event, caller.scope))
      return { status: 200, body: page(told, limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/events/stream', tag: 'Events' },
    summary: 'What happens, as it happens: Server-Sent Events, resumed by Last-Event-ID',
    scopes: ['chat', 'merchant', 'operator'],
    query: z.strictObject({
      types: z
        .string()
        .max(1_000)
        .transform((text) => text.split(','))
        .refine((filters) => filters.every(isKnownFilter), 'is no type of event')
        .default(['*'])
        .describe('Types, separated by commas; `payment.*` is all of a kind'),
    }),
    otherTypes: ['text/event-stream'],
    answers: { 200: null },
    refusals: ['not_found'],
    async handle(context, { caller, query: { types }, lastEventId }) {
      if (lastEventId !== undefined && !isPublicId('evt', lastEventId)) {
        throw new ServiceError('not_found')
      }
      const { expiresAt_s = Infinity } = caller
      const left_ms = expiresAt_s * 1000 - context.now().getTime()
      const stream = await followEvents(context, {
        reader: caller.scope,
        merchant: caller.scope === 'merchant' ? caller.merchant : undefined,
        last: lastEventId === undefined ? undefined : uuidOf(lastEventId),
        isWanted: (type) => filtersOf(type).some((filter) => types.includes(filter)),
        most_ms: Math.min(STREAM_MAX_MS, left_ms),
      })
      return { status: 200, contentType: 'text/event-stream', fileName: undefined, stream }
    },
  }),
]
