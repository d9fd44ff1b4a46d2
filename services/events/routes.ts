/** The event log over HTTP. */
import { z } from 'zod'
import { endpoint } from '../http/endpoint.ts'
import { listOf, page, pageQuery, Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { EVENT_TYPES } from './catalogue.ts'
import { eventOut, findEvents } from './events.ts'

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
