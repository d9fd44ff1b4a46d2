/** Money that a customer of the bank `north` sends us without our asking. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { publicId } from '../../services/ids.ts'
import { until } from './abuse.ts'
import { world } from './world.ts'

export const NUMBER = 'T-0701'

/** The customer pays us, and we do not know why. */
export async function comes(amount: string): Promise<string> {
  const { banks, owner } = await world()
  const north = banks.find(({ name }) => name === 'north')
  const reference = `IN${randomUUID().replaceAll('-', '').toUpperCase()}`
  const told = { reference, number: NUMBER, amount, currency: 'EUR', remittance: 'For what?' }
  const body = JSON.stringify(told)
  expect((await fetch(`${north?.url}/incoming`, { method: 'POST', body })).status).to.equal(201)
  await until(async () => (await owner('incoming_money').where({ reference })).length === 1)
  const { id } = await owner('incoming_money').where({ reference }).first('id')
  return publicId('inc', id)
}
