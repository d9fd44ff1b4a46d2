/**
 * How many may be answered at the same time: so many for as long as they come, more for a moment.
 *
 * What a machine does beside us slows everybody for a second or three. Whoever came then would be
 * refused, and would come again: more work for the same payments. So more are let in, and the fewer
 * the longer it lasts. A crowd that stays is told so soon, because each would make the others wait.
 */

/** In a moment, this many times as many. */
const TIMES = 4
/** How long that is used up by, and how long it takes until all of it is there again. */
const [LASTS_MS, COMES_BACK_MS] = [5_000, 60_000]

/** @returns whether there is room for one more beside so many, at a time that never goes back. */
export function openRoom(always: number): (inHand: number, now_ms: number) => boolean {
  let [spare, at_ms] = [1, 0]
  return (inHand, now_ms) => {
    const passed_ms = now_ms - at_ms
    at_ms = now_ms
    spare =
      inHand >= always
        ? Math.max(0, spare - passed_ms / LASTS_MS)
        : Math.min(1, spare + passed_ms / COMES_BACK_MS)
    return inHand < always + always * (TIMES - 1) * spare
  }
}
