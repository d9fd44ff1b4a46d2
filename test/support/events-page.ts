/** docs/events.md, but for how its table is padded. */
import { CATALOGUE, EVENT_TYPES } from '../../services/events/catalogue.ts'

const PREFACE = `# Events

What may happen, as it is told by webhooks, by \`GET /v1/events/stream\` and by \`GET /v1/events\`.
\`GET /v1/event_types\` answers the same with a JSON Schema of every event's \`data\`. A type is
never taken away, and its data only gains properties; anything else is a new version. What the chat
app is not shown of a refund or a dispute is null in its events too. \`npm run docs\` writes this
page from \`services/events/catalogue.ts\`.`

export const eventsPage = (): string =>
  [
    PREFACE,
    '',
    '| type | data | version | tells |',
    '| --- | --- | --- | --- |',
    ...EVENT_TYPES.map((type) => {
      const { object, version, summary } = CATALOGUE[type]
      return `| \`${type}\` | ${object} | ${version} | ${summary} |`
    }),
    '',
  ].join('\n')
