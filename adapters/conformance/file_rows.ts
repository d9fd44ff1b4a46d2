/** Banks that exchange files. */
import { booked, eventsOf, expect, order, told } from './asking.ts'
import type { Row } from './kit.ts'

export const FILE_ROWS: readonly Row[] = [
  {
    name: 'moves money once for a batch that is handed over twice',
    ...{ needs: ['batch', 'statement'], provokes: ['settled', 'rejected'] },
    async try(bank) {
      const instructions = [order(bank, 'settled'), order(bank, 'rejected')]
      const [paid, refused] = instructions
      expect(paid !== undefined && refused !== undefined, 'there is nothing to pay')
      const batch = { id: `B${paid.reference}`, createdAt: new Date(), instructions }
      await bank.adapter.submitBatch(batch)
      await bank.adapter.submitBatch(batch)
      await told(bank, paid.reference, 'settled')
      await told(bank, refused.reference, 'rejected')
      const [line, ...more] = await booked(bank, paid.reference, 1)
      expect(line !== undefined && more.length === 0, `booked ${more.length + 1} times`)
    },
  },
  {
    name: 'offers a file once it is there, and not again once it is accepted',
    ...{ needs: ['collect', 'batch'], provokes: ['settled'] },
    async try(bank) {
      const asked = order(bank, 'settled')
      const batch = { id: `B${asked.reference}`, createdAt: new Date(), instructions: [asked] }
      await bank.adapter.submitBatch(batch)
      await told(bank, asked.reference, 'settled')
      const ids = (await eventsOf(bank, asked.reference)).map(({ eventId }) => eventId)
      expect(new Set(ids).size === ids.length, 'an event was offered twice')
    },
  },
]
