/**
 * What was asked for before the code was written, each with the test that proves it: a file, and
 * how the test's title begins. `test/checklist.test.ts` sees to it that every one of them is there.
 */
import { readSources } from './source.ts'

interface Row {
  readonly row: number
  readonly asked: string
  /** Each as `file: title`; none where it is missing. */
  readonly proofs: readonly string[]
  readonly missing?: string
}

const by = (row: number, asked: string, ...proofs: string[]): Row => ({ row, asked, proofs })
const lacks = (row: number, asked: string, missing: string): Row => ({
  ...{ row, asked, missing },
  proofs: [],
})

const DEFAULTS = 'defaults: has its default, and nothing weaker is accepted'

export const CHECKLIST: readonly Row[] = [
  by(
    1,
    'PINs of six digits, none that is guessed first',
    'identity: refuses one that is tried first',
  ),
  by(2, 'argon2id: 19 MiB, two passes, salt 16, tag 32', 'hashes: is 19 MiB and two passes'),
  by(3, 'A pepper outside Postgres, with an id', 'hashes: is needed: with another no PIN is right'),
  by(
    4,
    'A PIN counts only beside a key of the device, where DPOP is required',
    'dpop: a person’s that is not opens nothing',
    'dpop: costs its owner no attempt at the PIN',
  ),
  by(5, 'Five wrong PINs lock for half an hour, ten end it', 'pins: ends with the tenth wrong one'),
  by(6, 'Counted, then compared', 'guesses: of 200 at once, five are compared'),
  by(
    7,
    'Two PINs are hashed at once, 64 wait, then 503',
    'guesses: says so to many, and reads are answered',
  ),
  by(8, 'TOTP: 160 bits, 30 s, this step or the last, never again', 'totp-once: is good once'),
  by(
    9,
    'An approval is of one payment, once, for 120 s',
    'approvals: is good for what it approves',
    'approvals: is good for two minutes',
  ),
  by(
    10,
    'A changed factor: all factors, 24 h of less, a notice, no other session',
    'totp: ends other sessions and reduces limits',
  ),
  by(
    11,
    'Access tokens: typ, iss, aud, sub, client_id, exp, iat, jti, five minutes, 4 KB',
    'abuse-tokens: ${fault} opens nothing',
  ),
  by(12, 'Algorithms are a list of ours', 'issuers: take no algorithm that was not asked for'),
  by(
    13,
    'Clocks: 10 s ahead, 60 s refused, 5 s late; an alarm at 1 s',
    'abuse-tokens: ${fault} opens nothing',
    'clock: lets a process on a machine that is a day ${how} do as the others',
    'clock: is warned of',
  ),
  by(
    14,
    'Proofs of possession: 60 s, once, in all processes',
    'dpop: opens nothing with a proof that was used in another process',
    'dpop: opens nothing with a proof ${fault}',
  ),
  lacks(
    15,
    'Refresh tokens: hashed, bound, rotated',
    'the chat app’s identity provider issues them, not Florin',
  ),
  by(
    16,
    'Calls that move money ask whether the session still is',
    'revocations: end for writes at once',
  ),
  by(17, 'Keys rotate without a restart', 'issuers: may rotate'),
  by(
    18,
    'Webhook secrets of 32 bytes, two at once; data keys by envelope',
    'webhooks: is signed by both secrets',
    'vault: is given keys of 32 bytes',
    'vault: opens under earlier keys',
  ),
  by(
    19,
    'Callbacks are signed over raw bytes, good for 300 s',
    'callbacks: that was changed or written anew',
  ),
  by(
    20,
    'An inbox before the 200; copies are known for ever',
    'abuse-callbacks: that comes a thousand times at once',
  ),
  by(
    21,
    'One reference for each payout, before the first call, for ever',
    'abuse-banks: executes once, the books agree',
    'batches: is paid once wherever the worker dies',
  ),
  by(
    22,
    'Connect 2 s, call 15 s; enquiries after 90 s, three at most; a person after a day',
    'resolve: is looked at again at the first enquiry',
    'resolve: is to send it again only after the cut-off',
    'abuse-faults: are enquired of three times each',
    DEFAULTS,
  ),
  by(
    23,
    'A breaker at more than half of twenty, 30 s; a tenth are repetitions',
    'breaker: opens when half of twenty calls failed',
    'breaker: lets a tenth of all calls be repetitions',
  ),
  by(
    24,
    'Webhooks: ten attempts, 410 ends, no redirects, four at a time',
    'webhooks: is given up after ten attempts',
    'webhook-receiver: gets a test, a replay of what it asks for, and nothing once it says 410',
    'webhooks: follows nobody who sends it on',
    'webhooks: comes beside three others and no more',
  ),
  by(25, 'No webhook into our own network', 'webhook-targets: is not sent to'),
  by(
    26,
    'Bodies of 16 KB, depth 8, exactly application/json',
    'abuse: may be exactly 16 KB',
    'abuse: of ${fault} is ${code}, for every call',
    'abuse: of ${fault} is refused for that reason and no other',
    'abuse: needs a content type',
  ),
  by(27, 'Headers in 10 s, requests in 15 s, 1,000 a socket', 'edge: are those of the server'),
  by(
    28,
    'Closed schemas, money as text, no key twice',
    'abuse: is text of one to fifteen digits',
    'abuse: of ${fault} is ${code}, for every call',
  ),
  by(
    29,
    'An Idempotency-Key wherever money moves, for 30 days',
    'abuse-idempotency: may not be left out where money moves',
    'abuse-holds: is touched under a key alone',
    'edge: is kept for thirty days',
  ),
  by(
    30,
    'Rates for money, look-ups, logins, strangers, banks',
    'too-many: pays ten times a minute',
    'too-many: of a merchant has it paid out ten times a minute',
    'too-many: has five PINs looked at a minute',
    'too-many: learns of twenty aliases a minute',
    'too-many: is turned away after sixty',
    'too-many: is told so, and others are not',
    'security-rates: of ${rate} is that of ${name}',
  ),
  by(
    31,
    'Headers that keep browsers away; no version',
    'abuse-http: answers with headers that keep browsers and caches away',
  ),
  by(
    32,
    'What is somebody else’s is 404, in the same time',
    'edge: tell a stranger as little by their time',
  ),
  by(
    33,
    'AES-256-GCM at rest, bound to table, row and column',
    'vault: refuses a value that was moved',
  ),
  by(
    34,
    'Roles that may not change history',
    'database: ${role} may not ${statement}',
    'database: even the owner may not',
  ),
  lacks(
    35,
    'Row-level security',
    'whose a thing is, is part of each query, and `abuse-owners` walks all routes',
  ),
  by(
    36,
    'Timeouts of statements, locks and transactions',
    'connections: is told them, in both processes',
  ),
  by(
    37,
    'No start where commits may be lost, or on a replica',
    'connections: stops a process before it listens, with the reason',
    'connections: stops a process before it listens where it is a replica',
    'connections: is refused by every connection',
  ),
  by(
    38,
    'SCRAM, and TLS to Postgres and Redis; Redis without what is dangerous, noeviction',
    'connections: is refused on an open network',
    'connections: is demanded of Redis too',
    'connections: is none in docker-compose.yml',
  ),
  by(39, 'Jobs carry ids and nothing else', 'canary: carries an id and nothing else'),
  by(40, 'Logs without secrets, Postgres’s too', 'canary: logs no statement and no parameter'),
  by(
    41,
    'A log of what is sensitive, added to and never changed',
    'security-log: cannot be changed by anybody',
  ),
  by(
    42,
    'What nobody caught: logged, drained, exit',
    'process: logs the ${what}, answers what was asked, and ends with 1',
  ),
  by(43, 'Secrets come from the environment alone', DEFAULTS, 'supply: is in no file'),
  by(
    44,
    'What is installed is locked, and its scripts do not run',
    'supply: is locked by its content',
    'supply: runs nothing while it is installed',
    'install: installs once, and again when the lock has changed',
  ),
  by(
    45,
    'Trial balance, invariants and statements, all the time',
    'business-corruptions: finds nothing wrong where all went right',
    'business-corruptions: finds nothing wrong at any moment while people pay',
    'business-corruptions: of the books is asked after each test',
    'corruptions: finds every corruption, by the invariant that it breaks',
    'month: ends with every cent in one batch, and every statement at its balance',
  ),
  by(
    46,
    'A drill: restored, verified, nothing lost that was confirmed',
    'restore: is back with all that was confirmed',
  ),
]

/** The proofs that are not where they are said to be. */
export const unproven = (): readonly string[] => {
  const texts = new Map(readSources().map(({ path, text }) => [path, text]))
  return CHECKLIST.flatMap(({ proofs }) => proofs).filter((proof) => {
    const [file = '', title = ''] = proof.split(/: (.*)/s)
    return (
      texts.get(`test/${file}.test.ts`)?.match(titleOf(title)) === null ||
      !texts.has(`test/${file}.test.ts`)
    )
  })
}

const titleOf = (title: string) =>
  new RegExp(`\\bit\\(\\s*['\`]${title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`)

const nameOf = (proof: string) => `\`${proof.replaceAll(/\$\{\w+\}/g, '…')}\``

/** As docs/security.md has it. */
export const checklistPage = (): string => {
  const proven = CHECKLIST.filter(({ missing }) => missing === undefined).length
  const lines = CHECKLIST.map(({ row, asked, proofs, missing }) =>
    missing === undefined
      ? `- ${row}. ${asked}: ${proofs.map(nameOf).join('; ')}`
      : `- ${row}. ${asked}: missing: ${missing}`,
  )
  return [
    '## The checklist',
    `${proven} of ${CHECKLIST.length} are proven, each by the tests that are named.`,
    lines.join('\n'),
  ].join('\n\n')
}
