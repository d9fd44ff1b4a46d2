/** Money that comes to the bank that works with paper, without our asking. */
import type { BankEvent } from '../../adapters/adapter.ts'
import { collectFrom } from '../../services/banking/files.ts'
import { publicId } from '../../services/ids.ts'
import { until } from './abuse.ts'
import { incoming, paperBank } from './paper-bank.ts'
import { world } from './world.ts'

/** Returns when a worker has applied them. */
export const applied = (events: readonly BankEvent[]) =>
  until(async () => {
    const { owner } = await world()
    const ids = events.map(({ eventId }) => eventId)
    const found = await owner('callbacks').whereIn('event_id', ids).pluck('disposition')
    return found.length === ids.length && found.every((one: string) => one === 'applied')
  })

/** Money that comes to the paper bank, with what its sender wrote. */
export async function arrives(remittance: string | undefined, amount = 1_234n) {
  const [{ worker, owner }, bank] = [await world(), await paperBank()]
  const from = { sender: 'Ada of Arles', senderAccount: 'T-0701' }
  const more = { ...(remittance !== undefined && { remittance }), ...from }
  const event = incoming(amount, more)
  bank.putDown([event])
  await collectFrom(worker, bank)
  await applied([event])
  const { id } = await owner('callbacks').where({ event_id: event.eventId }).first()
  return { id: publicId('inc', id), row: await owner('incoming_money').where({ id }).first() }
}
