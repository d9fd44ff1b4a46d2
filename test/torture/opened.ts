/** What was opened, one after another, and is closed the other way round: all of it, or what is. */

type Closing = () => Promise<unknown>

export interface Opened {
  /** To be closed before what was opened until now. */
  readonly keep: (close: Closing) => void
  /** Each, whatever becomes of the others. @throws {unknown} what the first that failed did. */
  readonly close: () => Promise<void>
}

export function openNothing(): Opened {
  const closings: Closing[] = []
  return {
    keep: (close) => void closings.push(close),
    async close() {
      const failures: unknown[] = []
      for (let close = closings.pop(); close !== undefined; close = closings.pop()) {
        await close().catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** Opens by `work`. Where that fails, what it had opened does not stay. */
export async function openWith<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = openNothing()
  try {
    return await work(opened)
  } catch (error) {
    // Why it failed is what somebody must know.
    await opened.close().catch(() => {})
    throw error
  }
}

/** Of several that are opened at the same time: where one is not, the others are not kept. */
export async function together<T>(
  opening: readonly Promise<T>[],
  close: (one: T) => Promise<unknown>,
): Promise<T[]> {
  const settled = await Promise.allSettled(opening)
  const open = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed === undefined) return open
  await Promise.allSettled(open.map(close))
  throw failed.reason
}
