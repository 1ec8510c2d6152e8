// Fields of protobuf messages, read and written by number: the few messages that guests and
// properties exchange. Workers load no protobuf library.

export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const;

/** `field` is told the number of each field and where its contents lie. False = malformed. */
function walk(
  message: Buffer,
  field: (number: number, from: number, end: number) => void,
): boolean {
  let at = 0;
  while (at < message.length) {
    const key = readVarint(message, at);
    if (key.end < 0) return false;
    let from = key.end;
    let end = from;
    switch (key.value & 7) {
      case WireType.Varint:
        end = readVarint(message, from).end;
        break;
      case WireType.Fixed64:
        end = from + 8;
        break;
      case WireType.Bytes: {
        const size = readVarint(message, from);
        from = size.end;
        end = from + size.value;
        break;
      }
      case WireType.Fixed32:
        end = from + 4;
        break;
      default:
        return false;
    }
    if (end < 0 || from < 0 || end > message.length || key.value >>> 3 === 0) return false;
    field(key.value >>> 3, from, end);
    at = end;
  }
  return true;
}

export function isMessage(bytes: Buffer): boolean {
  return walk(bytes, () => {});
}

/** The contents of every field of that number, as bytes whatever its wire type, up to a fault. */
export function fieldBytes(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  walk(message, (number, from, end) => {
    if (number === wanted) found.push(message.subarray(from, end));
  });
  return found;
}

/** The last field of that number, which is the one that counts; empty when there is none. */
export function lastField(message: Buffer, wanted: number): Buffer {
  return fieldBytes(message, wanted).at(-1) ?? Buffer.alloc(0);
}

/** The same of a number or a boolean; 0 when there is none. */
export function lastNumber(message: Buffer, wanted: number): number {
  const bytes = lastField(message, wanted);
  return bytes.length === 0 ? 0 : readVarint(bytes, 0).value;
}

/** Sizes and tags fit into 32 bits; longer numbers are only skipped. `end` -1 = cut off. */
function readVarint(
  message: Buffer,
  start: number,
): { readonly value: number; readonly end: number } {
  let value = 0;
  let shift = 0;
  for (let at = start; at < message.length && shift < 70; at += 1) {
    const byte = message[at] as number;
    if (shift < 32) value |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte < 0x80) return { value: value >>> 0, end: at + 1 };
  }
  return { value: 0, end: -1 };
}

export function bytesField(number: number, contents: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([tag(number, WireType.Bytes), ...varint(contents.length)]),
    contents,
  ]);
}

/** Of fields below 16: one byte. */
export function tag(number: number, wireType: number): number {
  return (number << 3) | wireType;
}

function varint(number: number): number[] {
  const bytes: number[] = [];
  let left = number;
  while (left >= 0x80) {
    bytes.push((left & 0x7f) | 0x80);
    left >>>= 7;
  }
  bytes.push(left);
  return bytes;
}
