/** What a bank calls back with, and who else might. */
import { expect, expectFailure, order, tell, told } from './asking.ts'
import type { BankUnderTest, Callback, Row } from './kit.ts'

const HOUR_MS = 3_600_000

/** A callback that was really made. */
async function made(bank: BankUnderTest): Promise<Callback> {
  const asked = order(bank, 'settled')
  await tell(bank, asked)
  await told(bank, asked.reference, 'settled')
  const callback = bank.callbacks().at(-1)
  expect(callback !== undefined, 'nobody was called back')
  return callback
}

/** One bit of the body is another. */
function altered({ headers, body }: Callback): Callback {
  const bytes = Buffer.from(body)
  const last = bytes.length - 2
  bytes[last] = (bytes[last] ?? 0) ^ 1
  return { headers, body: bytes }
}

/** Every header that might sign is another's: the signature of other bytes. */
const borrowed = ({ body }: Callback, other: Callback): Callback => ({
  headers: other.headers,
  body,
})

const read = ({ adapter }: BankUnderTest, { headers, body }: Callback, now = new Date()) =>
  adapter.readCallback(headers, body, now)

const row = (name: string, attempt: Row['try']): Row => ({
  ...{ name, needs: ['callback'], provokes: ['settled'], try: attempt },
})

export const CALLBACK_ROWS: readonly Row[] = [
  row('reads the same callback to the same event', async (bank) => {
    const callback = await made(bank)
    const [one, other] = [read(bank, callback), read(bank, callback)]
    expect(one.eventId === other.eventId, 'the event has two ids')
    expect(one.occurredAt.getTime() <= Date.now() + HOUR_MS, 'it happened in the future')
  }),
  row('refuses a callback that was altered', async (bank) => {
    const callback = altered(await made(bank))
    await expectFailure(() => read(bank, callback), 'bad_signature', 'one bit')
  }),
  row('refuses a callback that nobody signed', async (bank) => {
    const { body } = await made(bank)
    await expectFailure(() => read(bank, { headers: {}, body }), 'bad_signature', 'unsigned')
  }),
  row('refuses a callback with the signature of another', async (bank) => {
    const [one, other] = [await made(bank), await made(bank)]
    await expectFailure(() => read(bank, borrowed(one, other)), 'bad_signature', 'borrowed')
  }),
  row('refuses a callback that is an hour old', async (bank) => {
    const callback = await made(bank)
    const later = new Date(Date.now() + HOUR_MS)
    await expectFailure(() => read(bank, callback, later), 'callback_expired', 'an hour later')
  }),
]
