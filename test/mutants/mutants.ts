/**
 * Twenty-two mistakes that somebody could make, each in the one place where it would be made, and
 * the tests that must notice. `npm run mutants` makes each of them in a copy of the source. A name
 * says no more than what the edit does.
 */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** What is there exactly once, and what is put in its place. */
  readonly edits: readonly (readonly [find: string, put: string])[]
  /** Any of them is enough. */
  readonly tests: readonly string[]
}

/** As if the bank had said so itself, when it has said nothing. */
const asIf = (outcome: string) =>
  `return { state: 'final', report: { eventId: \`guess-\${reference}\`, reference, ` +
  `outcome: '${outcome}', money: instruction.money, occurredAt: now } } as never`

const ANSWERS = '...writeAnswers(connection, done, conclusions),'
const COMMIT = "connection.query({ text: 'COMMIT' }),"

const UNCLEAR = "return { from: sent, event: 'unclear', nextAt, reason, failures }"

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no row lock',
    file: 'ledger/locks.ts',
    edits: [['   ORDER BY id\n     FOR NO KEY UPDATE`', '   ORDER BY id`']],
    tests: ['test/ledger-races.test.ts'],
  },
  {
    name: 'unordered locks',
    file: 'ledger/locks.ts',
    edits: [
      ['   ORDER BY id\n     FOR', '   ORDER BY md5(id::text || pg_backend_pid())\n     FOR'],
    ],
    tests: ['test/ledger-races.test.ts'],
  },
  {
    name: 'drop CHECK',
    file: 'ledger/migrations/0001_accounts_and_transfers.sql',
    edits: [
      ['CONSTRAINT insufficient_funds CHECK (', 'CONSTRAINT insufficient_funds CHECK (true OR '],
    ],
    tests: ['test/database.test.ts', 'test/ledger.test.ts'],
  },
  {
    name: 'answer stored after COMMIT',
    file: 'ledger/commit.ts',
    edits: [[`${ANSWERS}\n    ${COMMIT}`, `${COMMIT}\n    ${ANSWERS}`]],
    tests: ['test/ledger.test.ts'],
  },
  {
    name: 'answer before COMMIT',
    file: 'ledger/commit.ts',
    edits: [
      [
        'await write(connection, companions, rows, concluded(fresh, conclusions))',
        'void write(connection, companions, rows, concluded(fresh, conclusions)).catch(() => {})',
      ],
    ],
    tests: ['test/ledger.test.ts', 'test/ledger-races.test.ts'],
  },
  {
    name: 'enqueue before COMMIT',
    file: 'services/banking/prepare.ts',
    edits: [
      [
        '  const outcome = await group',
        "  await queue.ring('instruction', [instruction.id])\n  const outcome = await group",
      ],
      ["  if (!outcome.replayed) await queue.ring('instruction', [instruction.id])\n", ''],
    ],
    tests: ['test/doorbell.test.ts'],
  },
  {
    name: 'new bank reference on retry',
    file: 'services/banking/advance.ts',
    edits: [
      [
        'const order = orderOf(instruction, detailsOf(context, account))',
        'const order = { ...orderOf(instruction, detailsOf(context, account)), ...(isRepeated && ' +
          '{ reference: `${instruction.reference.slice(0, -1)}0` }) }',
      ],
    ],
    tests: ['test/banking.test.ts', 'test/breaker.test.ts', 'test/sandbox-behaviours.test.ts'],
  },
  {
    name: 'timeout treated as failure',
    file: 'services/banking/advance.ts',
    edits: [[UNCLEAR, `const { reference } = instruction\n      ${asIf('rejected')}`]],
    tests: ['test/banking.test.ts', 'test/sandbox-behaviours.test.ts'],
  },
  {
    name: 'timeout treated as success',
    file: 'services/banking/advance.ts',
    edits: [[UNCLEAR, `const { reference } = instruction\n      ${asIf('settled')}`]],
    tests: ['test/banking.test.ts', 'test/sandbox-behaviours.test.ts'],
  },
  {
    name: 'NOT_FOUND treated as final at once',
    file: 'services/banking/advance.ts',
    edits: [
      [
        "if (answer.state === 'not_found' && mayResend(asked, now, policy)) {",
        `const { reference } = instruction\n    if (answer.state === 'not_found') {\n      ` +
          `${asIf('rejected')}\n    }\n    if (answer.state === 'not_found') {`,
      ],
    ],
    tests: ['test/banking.test.ts', 'test/sandbox-behaviours.test.ts'],
  },
  {
    name: 'callback not deduplicated',
    file: 'services/banking/inbox.ts',
    edits: [
      [
        'event_id: eventId, reference, outcome }',
        'event_id: `${eventId}~${id}`, reference, outcome }',
      ],
    ],
    tests: ['test/callbacks.test.ts', 'test/abuse-callbacks.test.ts'],
  },
  {
    name: 'callback applied without state check',
    file: 'services/banking/resolve.ts',
    edits: [['const to = next(state, report.outcome)', 'const to = report.outcome as State']],
    tests: ['test/abuse-callbacks.test.ts'],
  },
  {
    name: 'unknown fields of a payment ignored',
    file: 'services/payments/routes.ts',
    edits: [['const NewPayment = z\n  .strictObject({', 'const NewPayment = z\n  .object({']],
    tests: ['test/abuse.test.ts'],
  },
  {
    name: 'refund of another merchant’s payment',
    file: 'services/refunds/refunds.ts',
    edits: [
      [
        'const payment = await findPayment(context.db, id, merchant)',
        'const payment = await findPayment(context.db, id)',
      ],
    ],
    tests: ['test/refunds.test.ts', 'test/abuse-owners.test.ts'],
  },
  {
    name: 'PIN counter after hash',
    file: 'services/pins/attempts.ts',
    edits: [
      [
        '  const attempt = await reserveAttempt(context, person, rules)\n',
        "  const attempt = await db('pins').where({ person_id: person }).whereNotNull('hash')" +
          ".whereRaw('(locked_until IS NULL OR locked_until <= ?)', [now()])" +
          ".where('failures', '<', rules.failuresMax)" +
          ".first('hash', 'pepper_kid AS kid', 'failed', 'failures', " +
          "'changed_at AS changedAt')\n",
      ],
      [
        'throw await refusal(context, person, attempt, rules)',
        'throw await refusal(context, person, ' +
          '(await reserveAttempt(context, person, rules)) ?? attempt, rules)',
      ],
    ],
    tests: ['test/pins.test.ts', 'test/abuse-races.test.ts', 'test/guesses.test.ts'],
  },
  {
    name: 'TOTP step not stored',
    file: 'services/totp/check.ts',
    edits: [['.update({ last_step: step.toString(), ...UNHARMED })', '.update(UNHARMED)']],
    tests: ['test/totp-once.test.ts', 'test/totp.test.ts'],
  },
  {
    name: 'owner predicate missing',
    file: 'services/payments/payment.ts',
    edits: [['if (party !== undefined) query.where(isParty(party))\n  const row', 'const row']],
    tests: ['test/abuse-owners.test.ts'],
  },
  {
    name: 'signature over parsed body',
    file: 'adapters/signature.ts',
    edits: [
      [
        'secrets.map((secret) => sign(secret, id, timestamp, body))',
        'secrets.map((secret) => ' +
          'sign(secret, id, timestamp, JSON.stringify(JSON.parse(`${body}`))))',
      ],
    ],
    tests: ['test/adapters.test.ts', 'test/abuse-callbacks.test.ts'],
  },
  {
    name: 'synchronous_commit=off not noticed',
    file: 'ledger/database.ts',
    edits: [["current_setting('synchronous_commit') AS", "'on' AS"]],
    tests: ['test/connections.test.ts'],
  },
  {
    name: 'retry on every error code',
    file: 'ledger/errors.ts',
    edits: [
      ['if (!isLostRace(error) || attempt === ATTEMPTS_MAX)', 'if (attempt === ATTEMPTS_MAX)'],
    ],
    tests: ['test/ledger.test.ts', 'test/ledger-races.test.ts'],
  },
  {
    name: 'hold released on unknown',
    file: 'services/banking/advance.ts',
    edits: [
      [
        "return { from: asked, event: 'unclear', nextAt, reason: codeOf(error), failures }",
        `const { reference } = instruction\n    ${asIf('rejected')}`,
      ],
    ],
    tests: ['test/banking.test.ts'],
  },
  {
    name: 'log the PIN',
    file: 'services/pins/attempts.ts',
    edits: [
      [
        '  const attempt = await reserveAttempt(context, person, rules)\n',
        '  context.log.info({ person }, `is it ${pin}?`)\n' +
          '  const attempt = await reserveAttempt(context, person, rules)\n',
      ],
    ],
    tests: ['test/canary.test.ts'],
  },
]

/** @throws {Error} unless what is to be replaced is there exactly once. */
export function mutated(source: string, { name, edits }: Pick<Mutant, 'name' | 'edits'>): string {
  return edits.reduce((text, [find, put]) => {
    if (text.split(find).length !== 2) throw new Error(`${name}: not there once: ${find}`)
    return text.replace(find, () => put)
  }, source)
}
