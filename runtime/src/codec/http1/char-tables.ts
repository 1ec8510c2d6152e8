// Which bytes may stand where in an HTTP/1 head (RFC 9110 5.6.2, RFC 9112 3-5); used by the parser.

/** Token bytes map to their lower case; 0 = not a token byte. */
export const tokenLower: Uint8Array = buildTokenTable();
/** 1 for bytes of a field value: tab, visible, obs-text. */
export const isValueByte: Uint8Array = buildRange(0x20, 0xff, [0x09], [0x7f]);
/** 1 for bytes of a request target: visible ASCII, as Envoy (quotes, braces and "^" too). */
export const isTargetByte: Uint8Array = buildRange(0x21, 0x7e, [], []);
/** 1 for bytes of a Host value; "@" is not among them, because userinfo is refused. */
export const isHostByte: Uint8Array = buildHostTable();

/** Optional white space between parts of a field (RFC 9110 5.6.3): blank or tab. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function buildTokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[char.charCodeAt(0)] = char.charCodeAt(0);
  }
  for (let upper = 0x41; upper <= 0x5a; upper += 1) table[upper] = upper + 32;
  return table;
}

function buildRange(
  from: number,
  to: number,
  more: readonly number[],
  except: readonly number[],
): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = from; byte <= to; byte += 1) table[byte] = 1;
  for (const byte of more) table[byte] = 1;
  for (const byte of except) table[byte] = 0;
  return table;
}

/** uri-host and port of RFC 3986: unreserved, sub-delims, percent, colon, brackets. */
function buildHostTable(): Uint8Array {
  const table = new Uint8Array(256);
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  for (const char of `${letters}-._~!$&'()*+,;=%:[]`) table[char.charCodeAt(0)] = 1;
  return table;
}

/** Value of a hexadecimal digit, -1 for other bytes. */
export const hexValue: Int8Array = buildHexTable();

function buildHexTable(): Int8Array {
  const table = new Int8Array(256).fill(-1);
  for (let i = 0; i < 10; i += 1) table[0x30 + i] = i;
  for (let i = 0; i < 6; i += 1) {
    table[0x61 + i] = 10 + i;
    table[0x41 + i] = 10 + i;
  }
  return table;
}
