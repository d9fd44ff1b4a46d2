/** A4 pages with a head, figures, tables and page numbers: what our PDFs are made of. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

/** Noto Sans: Latin, Greek, Cyrillic and Devanagari. */
const FONTS = {
  regular: '@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf',
  bold: '@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf',
} as const

let fonts: Promise<readonly [regular: Buffer, bold: Buffer]> | undefined

const fontFile = (name: string) => readFile(createRequire(import.meta.url).resolve(name))

const INK = '#1a1f2b'
const FAINT = '#6b7280'
const RULE = '#d5d9e0'
const BAND = '#f3f5f8'

const LEFT = 48
const WIDTH = 499
const TOP = 48
/** Below this nothing is written but the foot. */
const BOTTOM = 780
const FOOT = 800

export interface Column {
  readonly head: string
  readonly width: number
  readonly align: 'left' | 'right'
}

export interface Figure {
  readonly label: string
  readonly text: string
}

/** A file that is being written, and how far down its page it is. */
export interface Sheet {
  readonly doc: PDFKit.PDFDocument
  y: number
}

/** @param made when, for the file's own data: the same statement is the same file. */
export async function openSheet(title: string, made: Date): Promise<Sheet> {
  // Read when the first page is asked for: a process that starts has no need of them.
  const [{ default: PdfDocument }, [regular, bold]] = await Promise.all([
    import('pdfkit'),
    (fonts ??= Promise.all([fontFile(FONTS.regular), fontFile(FONTS.bold)])),
  ])
  const info = { Title: title, Creator: 'Florin', Producer: 'Florin', CreationDate: made }
  const doc = new PdfDocument({ size: 'A4', margin: 0, bufferPages: true, info, lang: 'en' })
  doc.registerFont('regular', regular).registerFont('bold', bold)
  return { doc, y: TOP }
}

interface Written {
  readonly size?: number
  readonly font?: 'regular' | 'bold'
  readonly color?: string
  readonly width?: number
  readonly align?: 'left' | 'right'
  /** Goes on in the next line, where one is not enough. */
  readonly isWrapped?: boolean
}

/** A figure that was cut would be another figure: it is made smaller until it fits. */
const FIGURE_SIZE_MIN = 4

/**
 * One line; what is too long for it ends with an ellipsis, unless it is wrapped or a figure.
 * @returns how high it is.
 */
function write(sheet: Sheet, text: string, x: number, y: number, how: Written = {}): number {
  const { size = 9, font = 'regular', color = INK, width = WIDTH, align = 'left' } = how
  const { doc } = sheet
  doc.font(font).fontSize(size).fillColor(color)
  // Measured only where it might matter: a statement has thousands of cells.
  const isLong = text.length * size * 0.7 > width && doc.widthOfString(text) > width
  if (isLong && how.isWrapped === true) {
    const options = { width, align, lineGap: 1 }
    doc.text(text, x, y, options)
    return doc.heightOfString(text, options)
  }
  if (isLong && align === 'right') {
    doc.fontSize(Math.max(FIGURE_SIZE_MIN, (size * width) / (doc.widthOfString(text) + 1)))
  }
  doc.text(text, x, y, { width, align, lineBreak: false, ellipsis: true, height: size * 1.5 })
  return size
}

const rule = ({ doc }: Sheet, y: number, color = RULE) =>
  doc
    .moveTo(LEFT, y)
    .lineTo(LEFT + WIDTH, y)
    .lineWidth(0.6)
    .strokeColor(color)
    .stroke()

/** Who it is for, what it is, and what is said about it. */
export function writeHead(sheet: Sheet, name: string, what: string, about: readonly string[]) {
  write(sheet, what, LEFT, sheet.y, { size: 10, font: 'bold', color: FAINT })
  write(sheet, name, LEFT, sheet.y + 15, { size: 21, font: 'bold' })
  sheet.y += 50
  for (const line of about) {
    write(sheet, line, LEFT, sheet.y, { color: FAINT })
    sheet.y += 13
  }
  sheet.y += 10
}

/** Who is who, side by side: of each a label, a name and what else there is to say. */
export function writeColumns(sheet: Sheet, columns: readonly (readonly string[])[]): void {
  const width = WIDTH / columns.length
  const ends = columns.map((lines, column) => {
    let { y } = sheet
    for (const [index, line] of lines.entries()) {
      const how =
        index === 0 ? { color: FAINT } : ({ font: index === 1 ? 'bold' : 'regular' } as const)
      const place = { width: width - 12, isWrapped: true }
      y += Math.max(13, write(sheet, line, LEFT + column * width, y, { ...how, ...place }))
    }
    return y
  })
  sheet.y = Math.max(...ends) + 14
}

/** One figure large, and others beside it. */
export function writeBand(sheet: Sheet, large: Figure, others: readonly Figure[]): void {
  const { doc, y } = sheet
  doc.roundedRect(LEFT, y, WIDTH, 74, 6).fill(BAND)
  write(sheet, large.label, LEFT + 16, y + 13, { color: FAINT, width: 230 })
  write(sheet, large.text, LEFT + 16, y + 27, { size: 23, font: 'bold', width: 250 })
  others.forEach(({ label, text }, index) => {
    const at = y + 13 + index * 18
    write(sheet, label, LEFT + 270, at, { color: FAINT, width: 100 })
    write(sheet, text, LEFT + 360, at, { width: 123, align: 'right' })
  })
  sheet.y += 92
}

/** Labels and amounts, the last one in bold. */
export function writeSums(sheet: Sheet, figures: readonly Figure[]): void {
  figures.forEach(({ label, text }, index) => {
    const isLast = index === figures.length - 1
    if (isLast) rule(sheet, sheet.y - 1, INK)
    const font = isLast ? 'bold' : 'regular'
    write(sheet, label, LEFT, sheet.y + 2, { font, width: 260 })
    write(sheet, text, LEFT + 300, sheet.y + 2, { font, width: WIDTH - 300, align: 'right' })
    sheet.y += 17
  })
  sheet.y += 16
}

export function writeNote(sheet: Sheet, text: string): void {
  write(sheet, text, LEFT, sheet.y + 4, { color: FAINT })
  sheet.y += 18
}

/** As high as a row may become: a reference of 64 letters takes three lines. */
const ROW_MAX = 40
/** An id of ours takes one. */
const WRAPS_FROM = 30

/** Opens a table. @returns what adds a row, on a new page with its heads where one is full. */
export function openTable(
  sheet: Sheet,
  columns: readonly Column[],
): (cells: readonly string[]) => void {
  const across = (cells: readonly string[], y: number, more: Written): number => {
    let [x, height] = [LEFT, 0]
    columns.forEach(({ width, align }, index) => {
      const gap = index === columns.length - 1 ? 0 : 6
      const how = { ...more, width: width - gap, align, isWrapped: align === 'left' }
      height = Math.max(height, write(sheet, cells[index] ?? '', x, y, how))
      x += width
    })
    return height
  }
  const heads = () => {
    const names = columns.map(({ head }) => head)
    across(names, sheet.y, { size: 7.5, font: 'bold', color: FAINT })
    sheet.y += 14
    rule(sheet, sheet.y - 2, FAINT)
  }
  heads()
  return (cells) => {
    const isHigh = cells.some((cell) => cell.length > WRAPS_FROM)
    if (sheet.y + (isHigh ? ROW_MAX : 15) > BOTTOM) {
      sheet.doc.addPage()
      sheet.y = TOP
      heads()
    }
    sheet.y += Math.max(15, across(cells, sheet.y + 2, { size: 7.5 }) + 6)
    rule(sheet, sheet.y - 1)
  }
}

/** Numbers the pages. @returns the file. */
export async function endSheet(sheet: Sheet, foot: string): Promise<Buffer> {
  const { doc } = sheet
  const { count } = doc.bufferedPageRange()
  const small = { size: 7.5, color: FAINT }
  for (let page = 0; page < count; page += 1) {
    doc.switchToPage(page)
    write(sheet, foot, LEFT, FOOT, { ...small, width: 400 })
    const number = `Page ${page + 1} of ${count}`
    write(sheet, number, LEFT + 400, FOOT, { ...small, width: 99, align: 'right' })
  }
  const chunks: Buffer[] = []
  doc.end()
  for await (const chunk of doc) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
