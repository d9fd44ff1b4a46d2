/** The event log over HTTP. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idOut, publicId } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { EVENT_TYPES } from './catalogue.ts'
import { type EventRow, findEvents } from './events.ts'

const EventOut = z
  .strictObject({
    id: idOut('evt'),
    type: z.enum(EVENT_TYPES),
    object: z.string().describe('The id of what it is about'),
    data: z.unknown().describe('The object as it was then'),
    created_at: Timestamp,
  })
  .meta({ id: 'Event' })

const eventOut = (event: EventRow) => ({
  id: publicId('evt', event.id),
  type: event.type,
  object: event.object_id,
  data: event.data,
  created_at: event.created_at.toISOString(),
})

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
      return { status: 200, body: page(found.map(eventOut), limit) }
    },
  }),
]
