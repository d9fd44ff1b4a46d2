/**
 * The abuse cases that were thought of before the code was written, by their numbers, and what must
 * be seen of each. The title of a test that shows one ends with its tag, as in `(abuse 12, 13)`.
 */
import { checklistPage } from './checklist.ts'
import { readSources } from './source.ts'

interface Case {
  readonly row: number
  readonly abuse: string
  readonly answer: string
  /** How its tests show that the books are right, where they do more than compare all of them. */
  readonly books?: string
  /** What of it cannot be tested, because the product has no such thing yet. */
  readonly missing?: string
}

type Rest = Pick<Case, 'books' | 'missing'>
const of = (row: number, abuse: string, answer: string, rest: Rest = {}): Case => ({
  ...{ row, abuse, answer },
  ...rest,
})

const ONCE = { books: 'one payment moved, once' }
const SAME = { books: 'every account ends as in a story that nobody disturbed' }
const STATEMENT = { books: 'the bank’s own statement has it once, or not at all' }
const SEARCHED = { books: 'everything that is kept is searched' }

export const CASES: readonly Case[] = [
  of(
    1,
    'No token, one that has expired, one that somebody else signed',
    '401, and a row in the log',
  ),
  of(2, 'alg none, HS256 under our public key, an algorithm nobody knows', '401'),
  of(3, 'kid as a path, SQL or url; jku, x5u, jwk, crit in the header', '401, no socket is opened'),
  of(4, 'A token of another kind: refresh, ID, proof; for somebody else', '401'),
  of(5, 'A token of tomorrow or yesterday; our clock jumps', '401; ten seconds ahead are accepted'),
  of(6, 'A stolen token that is bound to a key, on another device', '401'),
  of(7, 'A proof of possession used twice, old, or for something else', '401'),
  of(8, 'A PIN guessed one by one', '401 five times, then 423 for the right one too'),
  of(9, '200 guesses at a PIN at once', 'five are compared, no more'),
  of(10, 'One popular PIN tried at many people', '422 when it is set; 429 after twenty an hour'),
  of(11, 'Somebody is locked out on purpose', '401; it does not count against the victim'),
  of(12, 'A code used twice, and a hundred times at once', 'one 201, 99 are 401', {
    books: 'one payment moved',
  }),
  of(13, 'The code of an older step after a newer one', '401'),
  of(14, 'An approval used for something else', '422; it is still good for what it approves'),
  of(15, 'A callback that is not signed, or by nobody we know', '401, and the inbox is empty'),
  of(16, 'One bank reports about the instruction of another', '403'),
  of(17, 'Addresses and names written into headers', 'they are not read'),
  of(18, 'Amounts that are negative, zero, fractions, exponents, other digits', '400'),
  of(19, 'An amount as a number, too large for one', '400'),
  of(20, 'Another currency than the account, or none that exists', '422, and Postgres refuses it'),
  of(21, 'Fields that are not the caller’s to set', '400'),
  of(22, '__proto__ and constructor as keys', '400'),
  of(23, 'One key twice in a body', '400'),
  of(24, 'An Idempotency-Key with another body', '422'),
  of(25, 'A callback changed, or written anew, after it was signed', '401'),
  of(26, 'SQL, wildcards, NUL, half letters, a text that is too long', '400, never 500'),
  of(27, 'Somebody with a process’s login to the database edits history', 'SQLSTATE 42501', {
    books: 'the statement is refused, and the transaction with it',
  }),
  of(28, 'The superuser edits an entry', 'the audit and the verifier name what was touched', {
    books: 'a copy of healthy books is spoilt in each way, and healthy again after',
  }),
  of(29, 'A fee sent along, and one payment cut into many', '400; the schedule decides'),
  of(
    30,
    'Money to oneself, and round in circles in one batch',
    '422; circles end where they began',
  ),
  of(31, '“I did not pay”', 'the evidence proves offline who agreed, to what, and by what', {
    books: 'the evidence is sealed with the transfer, and any change of it shows',
  }),
  of(32, '“We never got your webhook”', 'every attempt is in the log, and it is sent again', {
    books: 'a webhook moves no money',
  }),
  of(33, 'Line breaks and escapes to forge lines of the log', '400; a line of the log is one line'),
  of(
    34,
    'The things of others, by id, by list, by key; and how long the answer takes',
    '404, alike',
  ),
  of(35, 'Somebody else’s Idempotency-Key', 'a request of one’s own', {
    books: 'each pays once, from their own wallet',
  }),
  of(36, 'Names looked up by trying aliases', '429 after twenty a minute; hit or miss'),
  of(37, 'The payee’s balance, or a whole account number, in an answer', 'it is not there'),
  of(
    38,
    'Errors that show SQL, traces, versions',
    '500 internal and nothing else; X-Request-Id finds it in the log',
  ),
  of(39, 'PINs, codes, tokens, account numbers in logs and in the queue', 'not found', SEARCHED),
  of(40, 'The database is stolen', 'nothing secret is found, nothing can be guessed', SEARCHED),
  of(41, 'A webhook url that leads into our own network', '422; at the time of sending: blocked', {
    books: 'no connection is opened',
  }),
  of(42, 'Replies of our network, read in the log of deliveries', 'null but for operators', {
    books: 'a webhook moves no money',
  }),
  of(43, 'Ten megabytes, ten thousand levels, a bomb, a thousand headers', '413, 400, 415, 431'),
  of(44, 'Headers or a body that come slowly', '408, and the socket is closed'),
  of(45, 'More PINs to compare than we can', '503; reads are answered meanwhile'),
  of(
    46,
    'Everybody pays one account, and somebody holds it',
    '503 with Retry-After for that account; others are paid',
  ),
  of(47, 'A flood of payments to and fro', 'all are answered, and nobody deadlocks', {
    books: 'the hot account has every transfer, once',
  }),
  of(48, 'A client that is stuck inside a transaction', 'its session is ended by Postgres'),
  of(
    49,
    'Everybody asks again once a bank is back',
    'three enquiries each, nothing is sent again',
    {
      books: 'what to do next is decided without touching the books',
    },
  ),
  of(50, 'A job that ends the worker, each time', 'a person gets it after five, others go on', {
    books: 'its money stays held until the bank has spoken',
  }),
  of(51, 'A thousand copies of one callback', '200 each; one is applied'),
  of(52, 'A receiver of webhooks that hangs', 'others get theirs as before', {
    books: 'a webhook moves no money',
  }),
  of(53, 'A person calls what is a merchant’s or an operator’s', '403, on every route'),
  of(
    54,
    'A merchant wants to be paid out to somebody else’s account',
    '422, as if there were none',
  ),
  of(
    55,
    'Refunded for more than was paid, reversed twice, or never paid',
    '422 for more, 409 for twice or never',
    { books: 'what was reversed once is where it was' },
  ),
  of(56, 'One person proposes and approves', '403'),
  of(57, 'The session is ended, the token still alive', '401 at once for writes'),
  of(58, 'A hundred spend all there is, at once', 'one 201, 99 are 402', {
    books: 'the wallet is empty and not below',
  }),
  of(59, 'Fifty ask for one thing under one key, at once', 'fifty equal answers', ONCE),
  of(60, 'The answer is lost after the commit', 'the same answer, marked as a replay', ONCE),
  of(61, 'A refusal, then the money comes, then the same key', '402 again; another key is needed'),
  of(
    62,
    'Refused before it was decided (400, 401, 423, 429, 503), then the same key',
    'it is done',
  ),
  of(
    63,
    'The API is killed before or after the commit',
    'the story ends in the same books; the API alone is killed in `npm run test:long`',
    SAME,
  ),
  of(64, 'A crash between the commit and the ring', 'the sweep rings again', ONCE),
  of(65, 'The queue is wiped, jobs are lost', 'everything ends, nothing twice', ONCE),
  of(66, 'The worker dies after the bank accepted', 'the bank is asked; one debit', SAME),
  of(67, 'The bank accepts and does not answer', 'unknown; enquired of, settled once', STATEMENT),
  of(68, 'The bank never got it', 'the same reference again, after the cut-off', STATEMENT),
  of(
    69,
    'The bank answers that it knows the reference',
    'it is asked what became of it',
    STATEMENT,
  ),
  of(70, 'A callback comes again', '200, and nothing happens'),
  of(71, 'The bank’s words in the wrong order, or against each other', 'set aside, with an alert'),
  of(72, 'A callback before our own commit', 'kept, and applied within a minute', {
    books: 'the payment is completed once',
  }),
  of(73, 'A true callback again after an hour', '401'),
  of(74, 'The bank settles another amount', 'nothing moves; a person decides', {
    books: 'the hold is neither posted nor released until the right word comes',
  }),
  of(75, 'Garbage from the bank', 'unknown; never taken for a yes', STATEMENT),
  of(76, 'A clock that is a day wrong', 'nothing is given up or sent again; tokens are refused', {
    books: 'what is held stays held: processes go by the time of Postgres',
  }),
  of(77, 'Two workers have one payout', 'one debit at the bank', {
    books: 'the bank’s statement has one line, the wallet paid once',
  }),
  of(78, 'The price changes between authorisation and capture', 'the price of when it was made', {
    books: 'fee lines sum to the fee, and the merchant has the rest',
  }),
]

export interface Shown {
  readonly file: string
  readonly title: string
  readonly rows: readonly number[]
  /** The test itself. */
  readonly text: string
}

const TEST = /^( *)it\(\s*(['`])([^\n]*?) \(abuse ([\d, ]+)\)\2/gm

/** Every test whose title has a tag. */
export const shown = (): readonly Shown[] =>
  readSources()
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(TEST)].map(({ index, 1: indent, 3: title = '', 4: rows = '' }) => ({
        ...{ file: path, title: title.replaceAll(/\$\{\w+\}/g, '…') },
        rows: rows.split(',').map(Number),
        text: text.slice(index).split(`\n${indent}})`, 1)[0] ?? '',
      })),
    )

const isWhole = ({ missing }: Case) => missing === undefined
const isThere = ({ answer }: Case) => answer !== ''

const HEADING = '## The abuse cases'

/** docs/security.md as prettier would have it; @param now what is written by hand stays. */
export function securityPage(now: string): string {
  const tests = shown()
  const rows = CASES.filter(isThere).map(({ row, abuse, answer, books }) => {
    const names = tests
      .filter((one) => one.rows.includes(row))
      .map(({ file, title }) => `  - \`${file.replaceAll(/^test\/|\.test\.ts$/g, '')}\`: ${title}`)
    const more = books === undefined ? '' : `; ${books}`
    return [`- **${row}. ${abuse}**: ${answer}${more}`, ...names].join('\n')
  })
  const [whole, missing] = [CASES.filter(isWhole), CASES.filter((one) => !isWhole(one))]
  const left = missing.map((one) => `- ${one.row}, ${one.abuse}: ${one.missing}.`)
  const inPart = missing.filter(isThere).length
  const counted = `${whole.length} of ${CASES.length} are tests`
  return `${[
    (now.split(HEADING)[0] ?? '').trim(),
    HEADING,
    ...(left.length === 0
      ? [`${counted}.`]
      : [`${counted}, and ${inPart} more in part. What is missing:`, left.join('\n')]),
    rows.join('\n'),
    checklistPage(),
  ].join('\n\n')}\n`
}
