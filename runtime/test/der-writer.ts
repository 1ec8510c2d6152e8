// Writes ASN.1 in DER, for structures that no library of the tests makes.
import { DerTag } from "../src/core/der-reader.ts";

/** An element; its content is bytes or other elements. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body]);
}

export function sequence(...elements: readonly Uint8Array[]): Buffer {
  return der(DerTag.Sequence, ...elements);
}

export function octets(...content: readonly Uint8Array[]): Buffer {
  return der(DerTag.OctetString, ...content);
}

/** Not negative. */
export function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return der(DerTag.Integer, (bytes[0] as number) >= 0x80 ? Buffer.concat([ZERO, bytes]) : bytes);
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return der(DerTag.Oid, Buffer.from([first * 40 + second, ...rest.flatMap(arcBytes)]));
}

export function time(date: Date): Buffer {
  const text = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(DerTag.GeneralizedTime, Buffer.from(text));
}

export const nothing: Buffer = der(DerTag.Null);

const ZERO = Buffer.of(0);

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const short = [...bytes.subarray(bytes.findIndex((byte) => byte !== 0))];
  return [0x80 + short.length, ...short];
}

function arcBytes(arc: number): number[] {
  const bytes = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}
