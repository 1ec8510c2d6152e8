// What authors do with bytes: text and back without the traps of the standard library.
import { copyBytes } from "./results";
import { decodeUtf8, encodedLength, encodeUtf8 } from "./utf8";

/** A text as UTF-8, a lone surrogate as U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const start = encodeUtf8(text);
  return copyBytes(start, encodedLength());
}

/** UTF-8 as text, each broken part as U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return decodeUtf8(bytes.dataStart, bytes.length);
}

/** Both in one. */
export function concatBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  memory.copy(all.dataStart, first.dataStart, first.length);
  memory.copy(all.dataStart + first.length, second.dataStart, second.length);
  return all;
}

/** Whether both hold the same. It tells by its time where they differ: not for secrets. */
export function equalBytes(first: Uint8Array, second: Uint8Array): bool {
  if (first.length != second.length) return false;
  return memory.compare(first.dataStart, second.dataStart, first.length) == 0;
}
