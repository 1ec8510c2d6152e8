// Where hostcalls leave their results, and the conversion of those into strings and byte arrays.
import { Status } from "./abi";
import { decodeUtf8 } from "./utf8";

/** Words that hostcalls with results fill in; read at once, so one set serves all. */
export const OUT: usize = memory.data(16, 8);
export const OUT_SIZE: usize = OUT + 4;

let status: i32 = Status.Ok;

/** Why the last operation of the SDK answered null or false; `Status.Ok` after one that worked. */
export function lastStatus(): Status {
  return status;
}

/** Remembers a hostcall's answer and tells whether it was Ok. */
export function isOk(answer: u32): bool {
  status = answer;
  return answer == Status.Ok;
}

/** Address of the bytes the last hostcall returned. */
export function resultStart(): usize {
  return load<u32>(OUT);
}

/** Length of the bytes the last hostcall returned. */
export function resultLength(): u32 {
  return load<u32>(OUT_SIZE);
}

export function resultText(): string {
  return decodeUtf8(load<u32>(OUT), load<u32>(OUT_SIZE));
}

export function resultBytes(): Uint8Array {
  return copyBytes(load<u32>(OUT), load<u32>(OUT_SIZE));
}

/** A copy of `length` bytes; empty when they are past 1 GiB. */
export function copyBytes(start: usize, length: u32): Uint8Array {
  if (length > 0x3fff0000) return new Uint8Array(0);
  const bytes = new Uint8Array(length);
  memory.copy(bytes.dataStart, start, length);
  return bytes;
}
