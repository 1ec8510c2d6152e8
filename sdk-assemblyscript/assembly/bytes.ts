// What authors do with bytes, beside what kit/bytes.ts offers.
export { utf8Bytes, utf8Text } from "./kit/bytes";

/** Both in one. */
export function concatBytes(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  memory.copy(all.dataStart, first.dataStart, first.length);
  memory.copy(all.dataStart + first.length, second.dataStart, second.length);
  return all;
}

/** Whether both hold the same. It tells by its time where they differ: secrets want isSameSecret. */
export function equalBytes(first: Uint8Array, second: Uint8Array): bool {
  if (first.length != second.length) return false;
  return memory.compare(first.dataStart, second.dataStart, first.length) == 0;
}
