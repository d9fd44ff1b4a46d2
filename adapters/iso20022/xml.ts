/**
 * Reads the XML of ISO 20022 in constant memory: of a file of any size only one `unit` at a time
 * (an entry, a transaction, a header) is held as a tree. A bank's file is a stranger's: what is no
 * well-formed document of exactly this message is refused, and so is whatever could be a trap:
 * document types with their entities, other encodings, endless texts, deep nesting.
 */
import { SaxesParser, type SaxesTagNS } from 'saxes'

/** A file that cannot be read, and why, in words for the person who has to ask the bank. */
export class BadFile extends Error {
  override readonly name = 'BadFile'
}

export interface Element {
  readonly name: string
  /** The only attribute that our messages have: the currency of an amount. */
  readonly currency: string | undefined
  text: string
  readonly children: Element[]
}

/** What a reader wants of a message: where its units are, as paths below `Document`. */
export interface Outline {
  /** Such as `camt.053.001.08`. */
  readonly message: string
  readonly units: readonly string[]
}

export interface Unit {
  readonly path: string
  readonly element: Element
}

export type Bytes = AsyncIterable<Uint8Array>

const NAMESPACE = 'urn:iso:std:iso:20022:tech:xsd:'
const DEPTH_MAX = 32
const SLICE_BYTES = 64 * 1024
/** So many characters without one tag, and it is a text that no field of ours can hold. */
const QUIET_MAX = 8 * SLICE_BYTES
/** Of one unit; an entry that books a batch of ten thousand transactions is below it. */
const ELEMENTS_PER_UNIT_MAX = 400_000
const TEXT_MAX = 10_000

/**
 * The units of a message in the order of the file.
 * @throws {BadFile} at the first thing that is wrong; what came before must not be believed either.
 */
export async function* readUnits(bytes: Bytes, outlines: readonly Outline[]): AsyncGenerator<Unit> {
  const reader = openReader(outlines)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const slice of slices(bytes)) {
    reader.write(understood(() => decoder.decode(slice, { stream: true })))
    yield* reader.taken()
  }
  reader.write(understood(() => decoder.decode()))
  reader.close()
  yield* reader.taken()
}

/** The message that a file says it is, from its first tag: `camt.053.001.08`. */
export async function messageOf(bytes: Bytes): Promise<string> {
  let found: string | undefined
  const parser = strictParser()
  parser.on('opentag', ({ uri }) => (found ??= messageIn(uri)))
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let read_bytes = 0
  for await (const slice of slices(bytes)) {
    understood(() => parser.write(decoder.decode(slice, { stream: true })))
    read_bytes += slice.length
    if (found !== undefined || read_bytes > SLICE_BYTES) break
  }
  if (found === undefined) throw new BadFile('the file does not begin as an XML document')
  return found
}

function* slicesOf(chunk: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < chunk.length; start += SLICE_BYTES)
    yield chunk.subarray(start, start + SLICE_BYTES)
}

async function* slices(bytes: Bytes): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) yield* slicesOf(chunk)
}

const messageIn = (uri: string) =>
  uri.startsWith(NAMESPACE) ? uri.slice(NAMESPACE.length) : `no message of ISO 20022: ${uri}`

/** The parser throws a plain Error, with line and column; so does the decoder, without. */
function understood<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof BadFile) throw cause
    const isEncoding = cause instanceof TypeError
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BadFile(isEncoding ? 'the file is not UTF-8' : `not well-formed XML: ${why}`, {
      cause,
    })
  }
}

function strictParser() {
  const parser = new SaxesParser({
    xmlns: true,
    position: true,
    forceXMLVersion: true,
    defaultXMLVersion: '1.0',
  })
  parser.on('doctype', () => {
    throw new BadFile('the file has a document type, which no message has')
  })
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^utf-?8$/i.test(encoding))
      throw new BadFile(`the file is in ${encoding.slice(0, 40)}, not in UTF-8`)
  })
  return parser
}

interface Place {
  readonly path: string
  /** Inside a unit: elsewhere nothing is kept. */
  readonly element: Element | undefined
}

/** Where the parser is in the file, and the trees of finished units until they are taken. */
interface Reading {
  readonly outlines: readonly Outline[]
  readonly places: Place[]
  uri: string
  units: ReadonlySet<string>
  finished: Unit[]
  /** Of the unit that is being read. */
  elements: number
  /** Characters since the last tag. */
  quiet: number
}

function openReader(outlines: readonly Outline[]) {
  const counts = { elements: 0, quiet: 0 }
  const reading: Reading = {
    ...{ outlines, places: [], uri: '', units: new Set(), finished: [] },
    ...counts,
  }
  const parser = strictParser()
  parser.on('opentag', (tag) => {
    reading.quiet = 0
    if (reading.places.length === DEPTH_MAX) throw new BadFile('the file is nested too deeply')
    reading.places.push(enter(reading, tag))
  })
  parser.on('text', (text) => keep(reading, text))
  parser.on('cdata', (text) => keep(reading, text))
  parser.on('closetag', () => leave(reading))

  return {
    write(text: string): void {
      reading.quiet += text.length
      understood(() => parser.write(text))
      if (reading.quiet > QUIET_MAX) throw new BadFile('a text or a tag is too long')
    },
    close: () => void understood(() => parser.close()),
    taken(): readonly Unit[] {
      const { finished } = reading
      reading.finished = []
      return finished
    },
  }
}

function enter(reading: Reading, tag: SaxesTagNS): Place {
  const parent = reading.places.at(-1)
  if (parent === undefined) {
    reading.uri = tag.uri
    reading.units = unitsOf(tag, reading.outlines)
    return { path: '', element: undefined }
  }
  // What stands in another namespace is the sender's own affair: `SplmtryData` may hold it.
  const name = tag.uri === reading.uri ? tag.local : `{}${tag.local}`
  const path = parent.path === '' ? name : `${parent.path}/${name}`
  if (parent.element === undefined && !reading.units.has(path)) return { path, element: undefined }
  reading.elements = parent.element === undefined ? 1 : reading.elements + 1
  if (reading.elements > ELEMENTS_PER_UNIT_MAX) throw new BadFile(`${path} is too long`)
  const element = { name, currency: tag.attributes['Ccy']?.value, text: '', children: [] }
  parent.element?.children.push(element)
  return { path, element }
}

function keep({ places }: Reading, text: string): void {
  const element = places.at(-1)?.element
  // Between children stand only line breaks.
  if (element === undefined || element.children.length > 0) return
  if (element.text.length + text.length > TEXT_MAX) throw new BadFile('a text is too long')
  element.text += text
}

function leave({ places, finished }: Reading): void {
  const place = places.pop()
  if (place?.element === undefined || places.at(-1)?.element !== undefined) return
  finished.push({ path: place.path, element: place.element })
}

function unitsOf({ local, uri }: SaxesTagNS, outlines: readonly Outline[]): ReadonlySet<string> {
  const message = messageIn(uri)
  const outline = outlines.find((one) => one.message === message)
  if (local === 'Document' && outline !== undefined) return new Set(outline.units)
  const wanted = outlines.map((one) => one.message).join(', ')
  throw new BadFile(`the file is ${local.slice(0, 40)} of ${message.slice(0, 80)}, not ${wanted}`)
}

/** The first element at `path` below `element`: `Refs/EndToEndId`. */
export function find(element: Element | undefined, path: string): Element | undefined {
  let found = element
  for (const name of path.split('/')) found = found?.children.find((one) => one.name === name)
  return found
}

export const all = (element: Element | undefined, name: string): readonly Element[] =>
  element?.children.filter((one) => one.name === name) ?? []

/** The text at the first of `paths` that has one. */
export function textAt(element: Element | undefined, ...paths: string[]): string | undefined {
  for (const path of paths) {
    const text = find(element, path)?.text.trim()
    if (text !== undefined && text !== '') return text
  }
  return undefined
}

/** @throws {BadFile} where there is none. */
export function neededText(element: Element | undefined, ...paths: string[]): string {
  const text = textAt(element, ...paths)
  if (text === undefined) throw new BadFile(`${element?.name ?? 'the file'} has no ${paths[0]}`)
  return text
}
