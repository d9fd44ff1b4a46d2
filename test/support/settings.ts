/** The settings as their schemas tell them, and the two files that are written from that. */
import { z } from 'zod'
import { TOPICS } from '../../services/config.ts'

export interface Setting {
  readonly name: string
  /** As the environment has it; undefined where there is none. */
  readonly fallback: string | undefined
  readonly isRequired: boolean
  /** Numbers from, to; or the words to choose from. */
  readonly range: string
  readonly meaning: string
}

/** By topic, in the order of the source. */
const settings: readonly (readonly [topic: string, settings: readonly Setting[]])[] =
  Object.entries(TOPICS).map(([topic, all]) => [topic, Object.entries(all).map(settingOf)])

export const allSettings = settings.flatMap(([, all]) => all)

function settingOf([name, schema]: readonly [string, z.ZodType]): Setting {
  const { minimum, maximum, enum: words } = z.toJSONSchema(schema, { unrepresentable: 'any' })
  const numbers = minimum === undefined ? '' : `${minimum} to ${maximum}`
  return {
    ...{ name, fallback: fallbackOf(schema), meaning: schema.description ?? '' },
    isRequired: !schema.safeParse(undefined).success,
    range: words?.join(', ') ?? numbers,
  }
}

function fallbackOf(schema: z.ZodType): string | undefined {
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return undefined
  const { defaultValue: value } = schema.def
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const defaultOf = ({ fallback, isRequired }: Setting) =>
  fallback === undefined ? (isRequired ? '_required_' : '') : `\`${fallback}\``

/** docs/settings.md, but for how its tables are padded. */
export function settingsPage(): string {
  const tables = settings.map(([topic, all]) =>
    [
      ...[
        `## ${topic}`,
        '',
        '| setting | default | range | meaning |',
        '| --- | --- | --- | --- |',
      ],
      ...all.map(
        (one) => `| \`${one.name}\` | ${defaultOf(one)} | ${one.range} | ${one.meaning} |`,
      ),
    ].join('\n'),
  )
  return `${[PREFACE, ...tables].join('\n\n')}\n`
}

const PREFACE = `# Settings

What the API and the worker read from the environment, once, when they start. Every fault is
reported at once, and nothing starts with what is out of range. \`npm run docs\` writes this page
from \`services/config/\`.`

/** What .env.example says by hand, or docker-compose.yml puts together. */
const BY_HAND = ['NODE_ENV', 'LOG_LEVEL', 'REDIS_URL', 'SEAL_KEY', 'PIN_JWE_KEY']

/** What containers are not told, because the image settles it or it is only for `npm start`. */
export const NOT_FOR_CONTAINERS = ['HOST', 'PORT', 'WORKER_PORT', 'SANDBOX']

const NOT_LISTED = new Set([...BY_HAND, ...NOT_FOR_CONTAINERS])

/** The lines of .env.example for everything that has a default, or may be left out. */
export const environmentLines = (): string =>
  settings
    .map(([topic, all]): readonly [string, readonly Setting[]] => [
      topic,
      all.filter(({ name, isRequired }) => !isRequired && !NOT_LISTED.has(name)),
    ])
    .filter(([, all]) => all.length > 0)
    .map(([topic, all]) => [`# ${topic}`, ...all.map(lineOf)].join('\n'))
    .join('\n\n')

const lineOf = ({ name, fallback, range, meaning }: Setting): string =>
  `# ${meaning}${range === '' ? '' : ` (${range})`}.\n#${name}=${fallback ?? ''}`
