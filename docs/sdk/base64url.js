/** Bytes, text and JSON as the text that JWS and JWE are made of (RFC 4648, section 5). */

export const encode = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

export const utf8 = (text) => new TextEncoder().encode(text)
export const json = (value) => encode(utf8(JSON.stringify(value)))
