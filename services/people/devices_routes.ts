/** A person's devices over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { text, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { APPROVAL_REFUSALS, ApprovalBody } from '../approvals/approvals.ts'
import { DeviceJwk } from '../approvals/device_keys.ts'
import { bindDevice, deviceOut, findDevices, revokeDevice } from './devices.ts'
import { ALGORITHMS, CompactJws } from '../approvals/jws.ts'

const DeviceOut = z
  .strictObject({
    id: idOut('dev'),
    name: z.string(),
    alg: z.enum(ALGORITHMS),
    thumbprint: z.string().describe('Of the public key (RFC 7638)'),
    created_at: Timestamp,
  })
  .meta({ id: 'Device' })

const TAG = 'Identity'

export const deviceEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/devices', tag: TAG, scopes: ['person'] },
    rate: 'security',
    summary: 'Bind a device: from then on what it signs is an approval',
    idempotency: 'required',
    body: z.strictObject({
      name: text(60),
      key: DeviceJwk,
      possession: CompactJws.describe('What the new key signed: see docs/sdk'),
      approval: ApprovalBody.optional().describe('By the PIN, or by a device that is bound'),
    }),
    answers: { 201: DeviceOut },
    refusals: [
      ...APPROVAL_REFUSALS,
      ...(['device_exists', 'possession_not_proven', 'too_many_devices', 'not_found'] as const),
    ],
    handle: async (context, { caller, body, claim, idempotencyKey: key }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const { key: jwk, ...device } = body
      const wanted = { ...device, jwk, approval: body.approval }
      const { person, session } = caller
      return bindDevice(context, person.id, wanted, { claim, key, session })
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/devices', tag: TAG, scopes: ['person'] },
    summary: 'The devices that may agree in your name',
    answers: { 200: z.strictObject({ data: z.array(DeviceOut) }) },
    refusals: [],
    handle: async ({ db }, { caller }) => {
      const devices = await findDevices(db, caller.person.id)
      return { status: 200, body: { data: devices.map(deviceOut) } }
    },
  }),
  endpoint({
    ...{ method: 'DELETE', path: '/v1/devices/:id', tag: TAG, scopes: ['person'] },
    rate: 'security',
    summary: 'Take a device away, at once; a token is enough',
    params: z.strictObject({ id: idIn('dev') }),
    answers: { 204: null },
    refusals: ['not_found', 'last_factor'],
    handle: async (context, { caller, params }) => {
      const { person, session } = caller
      await revokeDevice(context, person.id, { id: params.id, session })
      return { status: 204 }
    },
  }),
]
