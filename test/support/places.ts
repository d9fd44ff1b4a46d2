/** What is written only in its homes, each there for a reason; and what is not written at all. */
import type { Place } from './tidy.ts'

export const PRODUCT = /^(?:ledger|adapters|services)\//

const BOOKS = '(?:accounts|transfers|claims|entries)'
const BEFORE_TABLE = String.raw`\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TRUNCATE|ON|ONLY|REFERENCES)`

/** The first rows protect a home each; what the others name is not written, with an exception. */
export const PLACES: readonly Place[] = [
  {
    ...{
      what: 'the environment',
      thing: /\bprocess\.env\b/,
      among: PRODUCT,
      like: 'process.env.A',
    },
    instead: 'services/config.ts',
    homes: {
      'services/config.ts': 'reads and checks it, once',
      'services/local/install.mjs': 'runs before anything is installed',
    },
  },
  {
    ...{ what: 'the clock', thing: /\bnew Date\(\)|\bDate\.now\(/, among: PRODUCT },
    ...{ like: 'at(new Date())', instead: 'context.now()' },
    homes: {
      'services/context.ts': 'the clock that everybody is handed',
      'adapters/options.ts': 'what an adapter is handed where nobody cares',
      'adapters/sandbox/server.ts': 'a bank has a clock of its own',
      'adapters/iso20022/sandbox/bank.ts': 'this one too',
      'adapters/example/bank.ts': 'and this one',
      'adapters/conformance/': 'a stranger who tries a bank has his own',
      'services/sandbox/identity-provider.ts': 'so has an issuer of tokens',
    },
  },
  {
    ...{ what: 'chance', thing: /\bMath\.random\b/, among: PRODUCT, like: 'Math.random()' },
    instead: 'newId(), or node:crypto',
    homes: {
      'services/banking/advance.ts': 'spreads out what would ask the bank all at once',
      'services/webhooks/session.ts': 'spreads out what would meet a receiver that comes back',
    },
  },
  {
    ...{ what: 'the status of a problem', among: PRODUCT },
    thing: /\bstatus\w*\W{1,6}[45]\d\d\b|\b(?:throw|assert|status)\([^()\n]*\b[45]\d\d\b/i,
    ...{ like: 'if (problem.status === 401) a()', instead: 'a code of services/http/problems.ts' },
    homes: {
      'services/http/problems.ts': 'the table, and what follows from a status',
      'adapters/sandbox/': 'a bank and its adapter speak the bank’s protocol',
      'adapters/example/': 'these too',
      'services/sandbox/': 'the identity provider is a server of its own, the story a stranger',
    },
  },
  {
    ...{ what: 'a table of the books', part: 'said', among: PRODUCT, instead: 'ledger/index.ts' },
    thing: new RegExp(`${BEFORE_TABLE} +${BOOKS}\\b|[(,] *'${BOOKS}(?: as \\w+)?' *[,)]`),
    like: "db.raw('SELECT 1 FROM transfers')",
    homes: {
      'ledger/': 'only the ledger opens the books',
      'services/audit/': 'lays what the business says beside them, and only reads',
    },
  },
  {
    ...{ what: 'rounding by toFixed', thing: /\.toFixed\(/, among: PRODUCT, like: 'a.toFixed(2)' },
    instead: 'formatMoney and percentOf',
    homes: {
      'ledger/money.ts': 'of decimals, which are exact',
      'services/sandbox/teller.ts': 'of seconds, for people',
    },
  },
  {
    ...{ what: 'any', thing: /\bas any\b|: any\b|[<|&] ?any\b|\bany\[\]/, like: 'a as any' },
    instead: 'unknown, and a parser',
    homes: { 'test/support/api.ts': 'tests look into answers for whatever they expect there' },
  },
  {
    what: 'money as a number',
    thing: /\b(?:Number|parseInt|Math\.\w+)\([^()\n]*(?:amount|money|balance|fee|tax|net|gross)\b/i,
    ...{ like: 'Number(row.amount)', instead: 'bigint, and ledger/money.ts' },
    homes: {
      'services/orders/messages.ts': 'chats take JSON numbers; ours have 15 digits at most',
    },
  },
  {
    ...{ what: 'a guess at a number', thing: /\bparseFloat\(|\.toNumber\(/, like: 'parseFloat(a)' },
    instead: 'a schema, and bigint or Decimal',
  },
  {
    ...{ what: 'the console', thing: /\bconsole\.\w/, like: 'console.log(a)' },
    instead: 'context.log; process.stdout where people read',
  },
  {
    ...{ what: 'a muted compiler', part: 'remarks', thing: /@ts-(?:ignore|nocheck)/ },
    ...{ like: '// @ts-ignore', instead: 'a type' },
  },
  {
    ...{ what: 'a linter muted without a word', part: 'remarks' },
    thing: /(?:oxlint|eslint)-disable(?!.* -- \w)/,
    ...{ like: '// oxlint-disable no-shadow', instead: 'the reason, after ` -- `' },
  },
  {
    ...{ what: 'a thing left undone', part: 'remarks', thing: /\b(?:TODO|FIXME|XXX)\b/ },
    ...{ like: '/* FIXME */', instead: 'doing it, or deleting it' },
  },
  {
    ...{ what: 'a test left out', like: 'it.only(a)', instead: 'all of them' },
    thing: /\b(?:it|describe|context)\.(?:only|skip)\(|\bx(?:it|describe)\(/,
  },
  {
    ...{ what: 'a default export', thing: /^export default\b/m, like: 'export default a' },
    instead: 'a name',
  },
  {
    ...{ what: 'a name that says nothing', instead: 'a noun of the field, or a function' },
    thing: /\bclass \w*(?:Manager|Helper|Util|Utils|Service)\b|\binterface I[A-Z]/,
    like: 'class PaymentManager {}',
  },
]
