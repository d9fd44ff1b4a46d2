/** What it takes to judge payments: the rules in memory, ways to look things up, the lists. */
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { openRuleBook, type RuleBook } from '../rules/book.ts'
import { openFileList } from './list_file.ts'
import { openHttpList } from './list_http.ts'
import { type ListCheck, openLists } from './lists.ts'
import { type Looks, openLooks } from './looks.ts'
import { loadRules } from './rows.ts'
import type { Rule } from './verdict.ts'

export interface Screen {
  readonly rules: RuleBook<Rule>
  readonly looks: Looks
  readonly lists: ListCheck
}

/** A changed file is found within this time of the first payment that asks for the list. */
const LOOK_EVERY_MS = 1_000

interface ScreenSettings {
  readonly RULES_AGE_MS: number
  readonly SANCTIONS_FILE?: string | undefined
  readonly SANCTIONS_BYTES_MAX: number
  readonly SANCTIONS_NAMES_MAX: number
  readonly SANCTIONS_URL?: string | undefined
  readonly SANCTIONS_TIMEOUT_MS: number
}

export function openScreen(
  db: Knex,
  settings: ScreenSettings,
  log: Pick<Logger, 'error' | 'info'>,
): Screen {
  const { SANCTIONS_FILE: file, SANCTIONS_URL: url } = settings
  const bounds = {
    ...{ bytesMax: settings.SANCTIONS_BYTES_MAX, namesMax: settings.SANCTIONS_NAMES_MAX },
    lookEvery_ms: LOOK_EVERY_MS,
  }
  const timeout_ms = settings.SANCTIONS_TIMEOUT_MS
  return {
    rules: openRuleBook(() => loadRules(db), { age_ms: settings.RULES_AGE_MS }),
    looks: openLooks(db),
    lists: openLists([
      ...(file === undefined ? [] : [openFileList({ file, log, ...bounds })]),
      ...(url === undefined ? [] : [openHttpList({ url, timeout_ms })]),
    ]),
  }
}
