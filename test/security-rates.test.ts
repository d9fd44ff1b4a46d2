/** What asks for a PIN, tells a name or takes much work is asked so often and no more. */
import { expect } from 'chai'
import type { Endpoint } from '../services/http/endpoint.ts'
import { world } from './support/world.ts'

const RATED = {
  'PUT /v1/me': 'security',
  'DELETE /v1/me': 'security',
  'POST /v1/bank_accounts/:id/confirm': 'security',
  'POST /v1/bank_accounts': 'lookup',
  'POST /v1/settlements': 'money',
} as const satisfies Record<string, Endpoint<'person', unknown, unknown, unknown>['rate']>

describe('a rate', () => {
  for (const [name, rate] of Object.entries(RATED)) {
    it(`of ${rate} is that of ${name}`, async () => {
      const { routes } = await world()
      const found = routes.endpoints.find(({ method, path }) => `${method} ${path}` === name)
      expect(found?.rate).to.equal(rate)
    })
  }
})
