/** What people do, and strangers try, that the security log must know of. */
import { send, times } from './abuse.ts'
import { withAnotherApi } from './another-api.ts'
import { call, newKey } from './api.ts'
import { payment, type Person, person, PIN } from './people.ts'
import { digestBy, encrypted, forge, paymentOf, phone } from './phones.ts'
import { verify, verifyAt, wrong } from './pins.ts'
import { type Occasion, self, unknown } from './security.ts'
import { agreed, codeAt, enrolled, enrolledAs } from './totp.ts'
import { world } from './world.ts'

const rich = () => person(10_000n)
const codeOf = ({ secret }: { readonly secret: string }) => codeAt(secret, new Date())
const payWith = async (who: Person, body: object, key = newKey()) =>
  call(who, 'POST', '/v1/payments', { body: payment(await person(), '5000', body), key })

/** Has a device, and agreed by it to pay somebody 5000. */
async function signer(payload: object) {
  const [ada, ben] = [await rich(), await person()]
  const [mobile, key] = [await phone(ada), newKey()]
  const digest = await digestBy(ada, paymentOf(ben, '5000'), key)
  return { ...ada, ben, key, approval: await forge(mobile, { digest, payload }) }
}
const ask = async (ada: Awaited<ReturnType<typeof signer>>, amount: string) => {
  const body = payment(ada.ben, amount, { approval: ada.approval })
  return call(ada, 'POST', '/v1/payments', { body, key: ada.key })
}

/** Encrypted the wrong PIN, and sent it once. */
async function encrypter() {
  const [ada, ben] = [await rich(), await person()]
  const key = newKey()
  const approval = await encrypted(ada, paymentOf(ben, '5000'), key, wrong(0))
  const again = () =>
    call(ada, 'POST', '/v1/payments', { body: payment(ben, '5000', { approval }), key })
  await again()
  return { ...ada, again }
}

async function nearlyLocked() {
  const ada = await person()
  for (const index of times(4, (one) => one)) await verify(ada, wrong(index))
  return ada
}

async function nearlyOut() {
  const ada = await enrolled(10_000n)
  const { owner, config } = await world()
  const failed = config.TOTP_ATTEMPTS_MAX - 1
  await owner('totp').where({ person_id: ada.id }).update({ failed })
  return ada
}

async function withPhone() {
  const ada = await rich()
  return { ...ada, device: (await phone(ada)).id }
}

const tooOld = () => ({ iat: Math.floor(Date.now() / 1000) - 3_600 })
const nobody = () => null

const STRANGERS: readonly Occasion[] = [
  [
    'auth_failed',
    'a token that is none',
    unknown(() =>
      send(undefined, 'GET', '/v1/accounts', { headers: { authorization: 'Bearer no' } }),
    ),
  ],
  [
    'callback_refused',
    'a callback that no bank signed',
    unknown(() => send(undefined, 'POST', '/v1/banks/north/callbacks', { bytes: '{}' })),
  ],
]

const PINS: readonly Occasion[] = [
  [
    'pin_set',
    'a first PIN',
    self(
      () => person(0n, { withPin: false }),
      (ada) => call(ada, 'PUT', '/v1/pin', { body: { pin: PIN } }),
    ),
  ],
  [
    'pin_changed',
    'another PIN',
    self(person, (ada) =>
      call(ada, 'PUT', '/v1/pin', { body: { pin: '830462', current_pin: PIN } }),
    ),
  ],
  ['pin_refused', 'a wrong PIN', self(person, (ada) => verify(ada, wrong(0)))],
  ['pin_locked', 'the wrong PIN that locks', self(nearlyLocked, (ada) => verify(ada, wrong(4)))],
  [
    'pin_reset',
    'a PIN reset by a code',
    self(enrolled, (ada) =>
      call(ada, 'POST', '/v1/pin/reset', { body: { pin: '830462', totp: codeOf(ada) } }),
    ),
  ],
  [
    'rate_limited',
    'asking too often',
    self(
      person,
      (ada) =>
        withAnotherApi({ RATE_SECURITY_PER_MINUTE: 1 }, async (api) => {
          for (const pin of [PIN, PIN]) await verifyAt(api, ada, pin)
        }),
      nobody,
    ),
  ],
]

const CODES: readonly Occasion[] = [
  ['totp_enrolled', 'an authenticator', self(person, enrolledAs)],
  [
    'totp_refused',
    'a wrong code',
    self(
      () => enrolled(10_000n),
      (ada) => payWith(ada, agreed('000000')),
    ),
  ],
  [
    'totp_locked',
    'the wrong code that locks',
    self(nearlyOut, (ada) => payWith(ada, agreed('000000'))),
  ],
  [
    'recovery_code_used',
    'a recovery code',
    self(
      () => enrolled(10_000n),
      (ada) => payWith(ada, agreed(ada.recoveryCodes[0])),
    ),
  ],
  [
    'recovery_codes_created',
    'new recovery codes',
    self(enrolled, (ada) =>
      call(ada, 'POST', '/v1/totp/recovery_codes', { body: agreed(codeOf(ada)) }),
    ),
  ],
  [
    'totp_removed',
    'an authenticator that is removed',
    self(enrolled, (ada) => call(ada, 'DELETE', '/v1/totp', { body: agreed(codeOf(ada)) })),
  ],
]

const DEVICES: readonly Occasion[] = [
  [
    'device_revoked',
    'a device that is taken away',
    self(
      withPhone,
      (ada) => call(ada, 'DELETE', `/v1/devices/${ada.device}`),
      ({ device }) => device,
    ),
  ],
  [
    'device_refused',
    'a signature of a device that was taken away',
    self(
      () => signer({}),
      async (ada) => {
        const { owner } = await world()
        await owner('devices').where({ person_id: ada.id }).update({ revoked_at: new Date() })
        await ask(ada, '5000')
      },
    ),
  ],
  [
    'approval_mismatch',
    'an approval of something else',
    self(
      () => signer({}),
      (ada) => ask(ada, '6000'),
      nobody,
    ),
  ],
  [
    'approval_expired',
    'an approval that is too old',
    self(
      () => signer(tooOld()),
      (ada) => ask(ada, '5000'),
      nobody,
    ),
  ],
  [
    'approval_refused',
    'an encrypted PIN that nobody can open',
    self(rich, (ada) => payWith(ada, { approval: { pin_jwe: 'e30..AAAA.AAAA.AAAA' } }), nobody),
  ],
  [
    'approval_used',
    'an encrypted PIN that was used',
    self(encrypter, (ada) => ada.again(), nobody),
  ],
]

/** Has linked an account that is nearly under their name. */
async function closeMatch() {
  const ada = await person()
  const body = { bank: 'north', number: 'TEST-CLOSE', holder: 'Whoever' }
  const linked = await call(ada, 'POST', '/v1/bank_accounts', { body })
  return { ...ada, account: linked.body.id as string }
}

const OWN: readonly Occasion[] = [
  [
    'bank_account_confirmed',
    'a name at the bank that is nearly one’s own',
    self(
      closeMatch,
      async (ada) => {
        const path = `/v1/bank_accounts/${ada.account}/confirm`
        const body = { name_at_bank: null, approval: { pin: PIN } }
        // Once is a row; what is confirmed already is confirmed by nobody.
        await call(ada, 'POST', path, { body })
        await call(ada, 'POST', path, { body })
      },
      ({ account }) => account,
    ),
  ],
  [
    'sessions_revoked',
    'one’s own sessions',
    self(person, (ada) => call(ada, 'POST', '/v1/sessions/revoke', { body: { keep_this: false } })),
  ],
  [
    'no_pin_limit_changed',
    'a lower limit without a PIN',
    self(person, (ada) => call(ada, 'PUT', '/v1/me', { body: { no_pin_limit: '1' } })),
  ],
  [
    'no_pin_limit_changed',
    'a higher limit without a PIN',
    self(
      async () => {
        const ada = await person()
        await call(ada, 'PUT', '/v1/me', { body: { no_pin_limit: '1' } })
        return ada
      },
      (ada) => {
        const body = { no_pin_limit: '2', approval: { pin: PIN } }
        return call(ada, 'PUT', '/v1/me', { body, key: newKey() })
      },
    ),
  ],
  ['person_exported', 'one’s own data', self(person, (ada) => call(ada, 'GET', '/v1/me/export'))],
  [
    'person_erased',
    'a person who goes',
    self(person, (ada) =>
      call(ada, 'DELETE', '/v1/me', { body: { approval: { pin: PIN } }, key: newKey() }),
    ),
  ],
]

export const BY_PEOPLE = [...STRANGERS, ...PINS, ...CODES, ...DEVICES, ...OWN]
