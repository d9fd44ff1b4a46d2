/** Looking for an event in the log: others may be dated later, by tests whose clock is ahead. */
import { call } from './api.ts'
import { OPERATOR } from './people.ts'

interface Told {
  readonly id: string
  readonly type: string
  readonly object: string
  readonly data: unknown
}

const PAGES_MAX = 100

/** The newest that is as asked for, page by page; undefined where there is none. */
export async function findTold(isIt: (event: Told) => boolean): Promise<Told | undefined> {
  let cursor = ''
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const { body } = await call(OPERATOR, 'GET', `/v1/events?limit=100${cursor}`)
    const found = (body.data as Told[]).find(isIt)
    if (found !== undefined || body.next_cursor === null) return found
    cursor = `&cursor=${body.next_cursor}`
  }
  return undefined
}
