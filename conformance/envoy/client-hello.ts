// A ClientHello whose bytes are the same in each run, for cases that show what a proxy reads of it.

/** What the ClientHello says. */
export interface Hello {
  readonly servername?: string;
  readonly alpn?: readonly string[];
  /** Bytes of the padding extension (RFC 7685). */
  readonly padding?: number;
}

/** One record with a ClientHello of TLS 1.2 and one cipher: RFC 5246, 7.4.1.2. */
export function clientHello({ servername, alpn, padding }: Hello): string {
  const extensions = [
    servername === undefined ? "" : extension(0, long(`\0${long(servername)}`)),
    alpn === undefined ? "" : extension(16, long(alpn.map(short).join(""))),
    padding === undefined ? "" : extension(21, "\0".repeat(padding)),
  ].join("");
  const random = "r".repeat(32);
  const body = `\x03\x03${random}\0\0\x02\x13\x01\x01\0${long(extensions)}`;
  return `\x16\x03\x01${long(`\x01\0${long(body)}`)}`;
}

function extension(type: number, content: string): string {
  return u16(type) + long(content);
}

function short(text: string): string {
  return String.fromCharCode(text.length) + text;
}

function long(text: string): string {
  return u16(text.length) + text;
}

function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 255);
}
