// How the tests of the kit give and take: arguments lie one behind the other, each after its length
// in four bytes; an answer is a Uint8Array or nothing. Text is UTF-16, so that nothing is lost.
import { enterCallback, leaveCallback } from "@headgate/sdk-assemblyscript/assembly/memory";

let input: Uint8Array = new Uint8Array(0);
let output: Uint8Array | null = null;

/** Room for the arguments; comes before each call. */
export function begin(size: i32): usize {
  enterCallback();
  input = new Uint8Array(size);
  return input.dataStart;
}

export function bytesOf(index: i32): Uint8Array {
  let at = input.dataStart;
  for (let i = 0; i < index; i++) at += 4 + load<u32>(at);
  const bytes = new Uint8Array(load<u32>(at));
  memory.copy(bytes.dataStart, at + 4, bytes.length);
  return bytes;
}

export function textOf(index: i32): string {
  const bytes = bytesOf(index);
  return String.UTF16.decodeUnsafe(bytes.dataStart, bytes.length);
}

export function numberOf(index: i32): i64 {
  return load<i64>(bytesOf(index).dataStart);
}

export function giveBytes(bytes: Uint8Array | null): usize {
  output = bytes;
  leaveCallback();
  return changetype<usize>(bytes);
}

export function giveText(text: string | null): usize {
  return text === null ? giveBytes(null) : giveBytes(Uint8Array.wrap(String.UTF16.encode(text)));
}

export function giveBool(value: bool): usize {
  return giveText(value ? "true" : "false");
}
