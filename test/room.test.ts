/** Room for a moment's crowd, and none for one that stays. */
import { expect } from 'chai'
import { openRoom } from '../services/http/room.ts'

const ALWAYS = 100
const TICK_MS = 10

/** So many come each second, and so many are answered: who is let in, a second at a time. */
function crowd(room: ReturnType<typeof openRoom>) {
  let [inHand, now_ms, owed] = [0, 1_000, { come: 0, answered: 0 }]
  return (come_per_s: number, answered_per_s: number, seconds: number) => {
    let [refused, most] = [0, 0]
    for (const end_ms = now_ms + seconds * 1000; now_ms < end_ms; now_ms += TICK_MS) {
      owed = {
        come: owed.come + (come_per_s * TICK_MS) / 1000,
        answered: Math.min(inHand, owed.answered + (answered_per_s * TICK_MS) / 1000),
      }
      for (; owed.answered >= 1; owed.answered -= 1) inHand -= 1
      for (; owed.come >= 1; owed.come -= 1) {
        if (room(inHand, now_ms)) inHand += 1
        else refused += 1
        most = Math.max(most, inHand)
      }
    }
    return { refused, most, inHand }
  }
}

describe('room for requests', () => {
  it('is there for four times as many at once, and not for one more', () => {
    const room = openRoom(ALWAYS)
    for (let inHand = 0; inHand < 4 * ALWAYS; inHand += 1) {
      expect(room(inHand, 5_000), `${inHand}`).to.equal(true)
    }
    expect(room(4 * ALWAYS, 5_000)).to.equal(false)
  })

  it('bears a moment in which little is answered, again each half minute', () => {
    const over = crowd(openRoom(ALWAYS))
    for (let round = 0; round < 20; round += 1) {
      expect(over(200, 60, 1.5), `moment ${round}`).to.include({ refused: 0 })
      const after = over(200, 300, 28.5)
      expect([after.refused, after.inHand < 10], `after ${round}`).to.deep.equal([0, true])
    }
  })

  it('is as small as ever for a crowd that stays', () => {
    const over = crowd(openRoom(ALWAYS))
    const first = over(600, 200, 5)
    expect(first.most).to.be.within(3 * ALWAYS, 4 * ALWAYS)
    over(600, 200, 1)
    const later = over(600, 200, 60)
    expect(later.most).to.be.within(ALWAYS, ALWAYS + 2)
    expect(later.refused).to.be.within(60 * 400 - ALWAYS, 60 * 400 + ALWAYS)
    // Whoever is let in is as many as can be answered.
    expect(over(600, 200, 10).inHand).to.be.within(ALWAYS - 10, ALWAYS + 2)
  })

  it('is all there again a minute later, and a tenth of it after a tenth', () => {
    for (const [calm_s, most] of [
      [6, ALWAYS + 0.1 * 3 * ALWAYS],
      [60, 4 * ALWAYS],
    ] as const) {
      const room = openRoom(ALWAYS)
      const over = crowd(room)
      over(600, 200, 8)
      over(0, 200, calm_s)
      expect(over(100_000, 0, TICK_MS / 1000).most).to.be.within(most - 10, most + 10)
    }
  })
})
