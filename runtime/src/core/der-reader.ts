// Reads ASN.1 in DER, as far as certificates and revocation lists need it. What is cut off or has
// tags that they never have ends a list of elements: OpenSSL has taken the bytes before us.

export const DerTag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Null: 0x05,
  Oid: 0x06,
  Enumerated: 0x0a,
  Utf8String: 0x0c,
  NumericString: 0x12,
  PrintableString: 0x13,
  T61String: 0x14,
  Ia5String: 0x16,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  UniversalString: 0x1c,
  BmpString: 0x1e,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** Views of the bytes that were read. */
export interface DerElement {
  /** The identifier octet, with its class and whether it is constructed. */
  readonly tag: number;
  /** With identifier and length. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** Lengths of more octets than that are of elements that nobody has memory for. */
const LENGTH_OCTETS_MAX = 4;

/** The first element of `bytes`; null when there is none. */
export function readDer(bytes: Buffer): DerElement | null {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return null;
  let start = 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > LENGTH_OCTETS_MAX || bytes.length < 2 + octets) return null;
    length = bytes.readUIntBE(2, octets);
    start += octets;
  }
  const end = start + length;
  if (end > bytes.length) return null;
  return { tag, whole: bytes.subarray(0, end), content: bytes.subarray(start, end) };
}

/** The elements that `content` is made of. */
export function readDerAll(content: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < content.length; ) {
    const element = readDer(content.subarray(at));
    if (element === null) break;
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** An object identifier with its dots; "" when it has no arc. */
export function oidText(content: Buffer): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length === 0) {
      const first = arc < 40n ? 0n : arc < 80n ? 1n : 2n;
      arcs.push(first, arc - first * 40n);
    } else arcs.push(arc);
    arc = 0n;
  }
  return arcs.join(".");
}

/** A number of any size. */
export function integerOf(content: Buffer): bigint {
  if (content.length === 0) return 0n;
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString("hex")}`));
}

/** UTCTime or GeneralizedTime as epoch milliseconds; 0 for what is none. */
export function timeOf(element: DerElement): number {
  const text = element.content.toString("latin1");
  const isShort = element.tag === DerTag.UtcTime;
  const match = /^(\d\d|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null || (match[1] as string).length !== (isShort ? 2 : 4)) return 0;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  // RFC 5280: 50 to 99 are of the last century.
  const century = isShort ? (year < 50 ? 2000 : 1900) : 0;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}

/**
 * Text of a string type as the latin1 characters of its UTF-8 bytes; null for other types. As
 * BoringSSL has it: T61 is latin1, and what says to be UTF-8 is left alone.
 */
export function stringOf(element: DerElement): string | null {
  switch (element.tag) {
    case DerTag.Utf8String:
      return element.content.toString("latin1");
    case DerTag.NumericString:
    case DerTag.PrintableString:
    case DerTag.T61String:
    case DerTag.Ia5String:
    case DerTag.UtcTime:
    case DerTag.GeneralizedTime:
      return utf8Bytes(element.content.toString("latin1"));
    case DerTag.BmpString:
      return utf8Bytes(wideText(element.content, 2));
    case DerTag.UniversalString:
      return utf8Bytes(wideText(element.content, 4));
    default:
      return null;
  }
}

function wideText(content: Buffer, width: 2 | 4): string {
  let text = "";
  for (let at = 0; at + width <= content.length; at += width) {
    const point = content.readUIntBE(at, width);
    text += point > 0x10_ffff ? "\ufffd" : String.fromCodePoint(point);
  }
  return text;
}

function utf8Bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
