// Bytes that are put together piece by piece, in memory that doubles when it is full.
import { copyBytes } from "../results";
import { decodeUtf8, encodedLength, encodeUtf8 } from "../utf8";
import { hexLetter } from "./hex";

/** What is appended past this is dropped: no larger array can be allocated. */
const BYTES_MAX: u32 = 0x3fff0000;

@final
export class Buffer {
  private memory: StaticArray<u8> = new StaticArray<u8>(64);
  private used: u32 = 0;
  private isOver: bool = false;

  get length(): i32 {
    return this.used;
  }

  /** True when something did not fit: more than 1 GiB. */
  get isFull(): bool {
    return this.isOver;
  }

  byte(value: u8): void {
    const at = this.room(1);
    if (at != 0) store<u8>(at, value);
  }

  hexDigit(value: u32): void {
    this.byte(<u8>hexLetter(value));
  }

  text(text: string): void {
    const start = encodeUtf8(text);
    this.copy(start, encodedLength());
  }

  append(bytes: Uint8Array): void {
    this.copy(bytes.dataStart, bytes.length);
  }

  copy(start: usize, length: u32): void {
    const at = this.room(length);
    if (at != 0) memory.copy(at, start, length);
  }

  /** Where so many more bytes go; 0 when there is no room for them. */
  room(length: u32): usize {
    if (this.isOver || length > BYTES_MAX - this.used) {
      this.isOver = true;
      return 0;
    }
    const needed = this.used + length;
    if (needed > <u32>this.memory.length) this.grow(needed);
    const at = changetype<usize>(this.memory) + this.used;
    this.used = needed;
    return at;
  }

  /** Gives back so many bytes at the end. */
  shorten(length: u32): void {
    this.used -= min(length, this.used);
  }

  /** Where its first byte is; moves when something is added. */
  get start(): usize {
    return changetype<usize>(this.memory);
  }

  bytes(): Uint8Array {
    return copyBytes(changetype<usize>(this.memory), this.used);
  }

  /** What is in it, read as UTF-8. */
  toString(): string {
    return decodeUtf8(changetype<usize>(this.memory), this.used);
  }

  private grow(needed: u32): void {
    const larger = new StaticArray<u8>(min(max(this.memory.length * 2, needed), BYTES_MAX));
    memory.copy(changetype<usize>(larger), changetype<usize>(this.memory), this.used);
    this.memory = larger;
  }
}
