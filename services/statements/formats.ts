/** A statement in whichever format was asked for, as a file. */
import { camt053Of } from './camt053.ts'
import { pdfOf } from './pdf.ts'
import type { Statement } from './statement.ts'
import { csvOf, jsonOf } from './texts.ts'

export const FORMATS = ['json', 'csv', 'camt053', 'pdf'] as const
export type Format = (typeof FORMATS)[number]

export interface StatementFile {
  readonly contentType: string
  readonly fileName: string
  readonly stream: AsyncIterable<string | Uint8Array>
}

const TYPES = {
  json: ['application/json', 'json'],
  csv: ['text/csv; charset=utf-8', 'csv'],
  camt053: ['application/xml', 'xml'],
  pdf: ['application/pdf', 'pdf'],
} as const satisfies Record<Format, readonly [contentType: string, ending: string]>

export function fileOf(
  statement: Statement,
  format: Format,
  { kind, at }: { readonly kind: 'batch' | 'month'; readonly at: Date },
): StatementFile {
  const [contentType, ending] = TYPES[format]
  const streams = {
    json: () => jsonOf(statement),
    csv: () => csvOf(statement),
    camt053: () => camt053Of(statement, at),
    pdf: () => whole(() => pdfOf(statement, kind)),
  }
  return { contentType, fileName: `${statement.id}.${ending}`, stream: streams[format]() }
}

async function* whole(make: () => Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield await make()
}
