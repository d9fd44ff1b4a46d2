/** What is put where something else belongs. */
import type { Json } from './document.ts'
import type { Dice } from './values.ts'

const deep = (depth: number): Json => (depth === 0 ? 1 : { a: [deep(depth - 1)] })

/** In the place of any field. */
export const VALUES: readonly Json[] = [
  ...[null, true, false, 0, -1, 1.5, 1e21, 2 ** 53, -(2 ** 63), '', ' ', 'x', 'null', '0'],
  ...[[], [null], [[]], {}, { a: 1 }, deep(8), deep(40), 'x'.repeat(300), 'y'.repeat(9_000)],
  ...["' OR 1=1 --", '{{7*7}}', '../../etc/passwd', '%s%n', '<script>', '$where', '\\'],
]

/** In the place of money, which is a text of digits. */
export const MONEY: readonly Json[] = [
  ...['', '0', '00', '-1', '+1', '01', '1.0', '1,0', '.5', '5.', '1e3', '1E3', '0x10', '0b1'],
  ...[' 1', '1 ', '1\n', '\t1', '1_000', '1 000', '1’000', 'NaN', 'Infinity', '-Infinity'],
  ...['99999999999999', '999999999999999', '1000000000000000', '9223372036854775807'],
  ...['9223372036854775808', '18446744073709551616', '9'.repeat(100), '٣', '１２', '一', '1٫5'],
  ...['€5', '5 EUR', 'EUR5', '1/3', '--1', '1-', '(1)', 'null', 'true', '½', '1\u0000', '\u202e1'],
  ...[1, 0, -1, 0.1, 1e308, 2 ** 53, null, true, [], ['1'], {}, { amount: '1' }],
]

/** In the place of any text. Lone surrogates are written as escapes, which JSON allows. */
export const TEXTS: readonly string[] = [
  ...['\u0000', 'a\u0000b', '\ud800', '\udfff', 'x\ud83d', '\ude00y', '\ufffe', '\uffff'],
  ...['\u202eabc', '\u2066a\u2069', '\u200b', '\u200d', '\ufeffx', '\u2028', '\u2029', '\u0085'],
  ...['́'.repeat(1_000), 'Z̷', `a${'̈'.repeat(10_000)}`, 'ﬀ', 'ß', 'İ', 'ﬁ', '①'],
  ...['😀', '👨‍👩‍👧‍👦', '🇩🇪', '\u{10ffff}', 'ÅÅ', 'Ω', 'аdmin', 'ａｄｍｉｎ', '﷽', '𝟙𝟚'],
  ...['\u0001', '\u001b[31m', '\u007f', '\r\nX-Evil: 1', '\b', 'عربى', 'עברית', '١٢٣'],
]

/** In the place of a part of a path, or of a query, as they are written there. */
export const QUERIES: readonly string[] = [
  ...['', '%00', '%ff', '%ED%A0%80', '%C0%AF', '%', '%zz', '..', '%2e%2e%2f', '%2F', 'x%2Fy'],
  ...['null', 'undefined', '-1', '0', '1e9', '99999999999999999999', '%F0%9F%98%80', '%E2%80%AE'],
  ...[
    'a'.repeat(300),
    'b'.repeat(3_000),
    '*',
    '%25',
    '%2525',
    "'",
    '%22',
    '%5C',
    '+',
    '%0a',
    '%20',
  ],
  ...['2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', 'true', '[]', '{}'],
]

/** Does to a text of JSON what makes it none, or one whose meaning can be argued about. */
export const BREAKS: readonly ((text: string, dice: Dice) => string | Buffer)[] = [
  (text, { below }) => text.slice(0, below(text.length)),
  (text) => text.slice(1),
  (text) => `\ufeff${text}`,
  (text) => `${text}${text}`,
  (text) => `${text}//`,
  (text) => `/* */${text}`,
  (text) => text.replace('{', '{,'),
  (text) => text.replace(/\}$/, ',}'),
  (text) => text.replace('{', '{"a":NaN,'),
  (text) => text.replace('{', '{"a":Infinity,'),
  (text) => text.replace('{', '{"a":undefined,'),
  (text) => text.replace('{', '{"a":01,'),
  (text) => text.replace('{', '{"a":0x1,'),
  (text) => text.replace('{', '{"a":1,"a":1,'),
  (text) => text.replace('{', '{"a":1,"\\u0061":2,'),
  (text) => text.replace('{', '{"__proto__":{"a":1},'),
  (text) => text.replace('{', '{"constructor":{"prototype":{"a":1}},'),
  (text) => text.replaceAll('"', "'"),
  (text) => text.replace('{', '{a:1,'),
  (text) => text.replace('{', '{"a":"\n",'),
  (text) => text.replace('{', '{"a":"\\x41",'),
  (text) => text.replace('{', '{"a":"\\ud8",'),
  (text) => text.replace('{', `{"a":${'['.repeat(2_000)}${']'.repeat(2_000)},`),
  (text) => text.replace('{', `{"a":${'['.repeat(7_000)},`),
  (text) => Buffer.from(text, 'utf16le'),
  (text) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text)]),
  (text) => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xc3, 0x28, 0x7d])]),
  () => '',
  () => ' ',
  () => 'null',
  () => '[]',
  () => '"text"',
  () => '1e999',
  () => '-',
  () => '<?xml version="1.0"?><a/>',
  () => 'amount=1&currency=EUR',
  () => `{"a":"${'x'.repeat(70_000)}"}`,
]

type Header = readonly [name: string, value: string]

/** Over the headers of a request: a value takes the place of the one there was, a list adds. */
export const HEADERS: readonly (readonly Header[])[] = [
  ...['text/plain', 'text/html', 'application/xml', '', 'application/json; charset=utf-16'].map(
    (type): Header[] => [['content-type', type]],
  ),
  ...['application/jsonx', 'multipart/form-data; boundary=x', 'application/json,text/html'].map(
    (type): Header[] => [['content-type', type]],
  ),
  ...['gzip', 'br', 'deflate', 'identity', 'x'].map((code): Header[] => [
    ['content-encoding', code],
  ]),
  ...[
    '',
    'short',
    'x'.repeat(65),
    'with space in it ok',
    'käse-käse-käse-käse',
    '../../../../etc/x',
  ].map((key): Header[] => [['idempotency-key', key]]),
  [
    ['idempotency-key', 'twice-0123456789abcdef'],
    ['idempotency-key', 'twice-fedcba9876543210'],
  ],
  [['x-long', 'y'.repeat(5_000)]],
  [['x-long', 'y'.repeat(12_000)]],
  Array.from({ length: 150 }, (_, index): Header => [`x-many-${index}`, 'yes']),
  [['x-http-method-override', 'DELETE']],
  [['x-forwarded-for', "1.2.3.4, ' OR 1=1"]],
  [['forwarded', 'for="[::1]"']],
  [['accept', 'text/html;q=0, */*;q=9']],
  [['accept-encoding', 'nonsense, *;q=0']],
  [['range', 'bytes=0-1,5-']],
  [['if-none-match', '*']],
  [['expect', 'the-unexpected']],
  [['origin', 'null']],
  [['host', 'evil.example']],
  [['cookie', 'token=x; '.repeat(200)]],
  [['last-event-id', 'evt_not-an-event']],
  [['dpop', 'a.b.c']],
  [['upgrade', 'h2c']],
  [['traceparent', '00-zz']],
]
