/** Lists of names that nobody may pay or be paid under, wherever they are kept. */

export interface Match {
  /** The entry of the list, by the list's own id. */
  readonly entry: string
}

export interface ListCheck {
  /**
   * What of the list matches any of the names.
   * @throws {ListUnavailable} when the list cannot be asked. That says nothing about the names.
   */
  readonly check: (names: readonly string[]) => Promise<readonly Match[]>
  /** Whether it cannot be asked, or answers from an older list than there is. */
  readonly isFailing: () => boolean
}

export class ListUnavailable extends Error {
  override readonly name = 'ListUnavailable'
}

/** Several as one: a match in any is a match; without one, all of them must have answered. */
export function openLists(checks: readonly ListCheck[]): ListCheck {
  return {
    async check(names) {
      if (checks.length === 0) throw new ListUnavailable('there is no list')
      const answers = await Promise.allSettled(checks.map((one) => one.check(names)))
      const matches = answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      const failed = answers.find((one) => one.status === 'rejected')
      if (failed !== undefined && matches.length === 0) throw failed.reason as Error
      return matches
    },
    isFailing: () => checks.some((one) => one.isFailing()),
  }
}
