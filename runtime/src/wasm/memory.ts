// The guest's linear memory as hostcalls see it: bounds, text, keys, results in the guest's heap.
// Wasm hands pointers and sizes over as signed numbers: callers pass them through `>>> 0` first.
import type { BufferQueue } from "../core/buffer-queue.ts";
import { headerIdOf } from "../core/header-names.ts";
import type { Allocator } from "./vm.ts";

/** Buffer methods that Node has and its types leave out: half the price of toString and write. */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
}

/** A key as a guest wrote it, with what the host makes of it. */
export class GuestKey {
  /** latin1, as the guest wrote it. */
  readonly raw: string;
  /** Lower-case. */
  readonly name: string;
  /** Known header id, 0 = any other. */
  readonly id: number;
  /** Can stand in a message: neither empty nor with CR, LF or NUL. */
  readonly isValid: boolean;
  /** The bytes, four to a number, and what is left of them in one more. */
  readonly words: readonly number[];
  /** What lineWith was asked for last, and the line of it once that came again. */
  #value: string = "";
  #line: string = "";

  constructor(raw: string) {
    this.raw = raw;
    this.name = raw.toLowerCase();
    this.id = headerIdOf(this.name);
    this.isValid = raw.length > 0 && !hasLineBreak(raw);
    this.words = wordsOf(raw);
  }

  /**
   * The whole line of a header with that value, when the guest gave the same one the last time, as
   * many do for each stream; else null. It saves the codec three joins, and a piece of the head.
   */
  lineWith(value: string): string | null {
    if (value !== this.#value) {
      this.#value = value.length > KEPT_VALUE_BYTES_MAX ? "" : value;
      this.#line = "";
      return null;
    }
    // By way of a buffer, because joined text stays a tree until somebody writes it.
    if (this.#line === "") {
      this.#line = Buffer.from(`${this.name}: ${value}\r\n`, "latin1").toString("latin1");
    }
    return this.#line;
  }
}

function wordsOf(raw: string): number[] {
  const words: number[] = [];
  for (let i = 0; i < raw.length; i += 4) {
    let word = 0;
    for (let k = i; k < i + 4 && k < raw.length; k += 1) {
      word |= raw.charCodeAt(k) << ((k - i) << 3);
    }
    words.push(word);
  }
  return words;
}

/** Whether text holds what would end a header line, or a C string, early. */
export function hasLineBreak(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 13 || code === 10 || code === 0) return true;
  }
  return false;
}

const PAGE_BYTES = 65_536;
const KEYS = 256;
const VALUES = 64;
/** Longer values rarely come again, and are kept for as long as the VM lives. */
const KEPT_VALUE_BYTES_MAX = 64;
const VALUE_WORDS = KEPT_VALUE_BYTES_MAX >> 2;
/** Bytes from here on stand in values as they are; of those below three may not. */
const PLAIN_FROM_FOUR_TIMES = 0x0e0e0e0e;
const HIGH_BITS = 0x80808080;
/** Longer keys are rare, and hashing them is not for free. */
const KEY_BYTES_MAX = 64;
/** Up to here a loop over characters is taken instead of the call into Buffer. */
const LOOP_BYTES_MAX = 24;
/** Bytes that a hostcall moves without being paid for. */
const FREE_BYTES_MAX = 1024;
/** Above, 8 bytes cost a unit of fuel. */
const MOVED_BYTES_SHIFT = 3;

/** What a guest begins with: some never read a key, and each that traps is garbage. */
const noKey: GuestKey = new GuestKey("");
const noKeys: GuestKey[] = Array.from({ length: KEYS }, () => noKey);
const noValues: string[] = Array.from({ length: VALUES }, () => "");
const noWords: Int32Array = new Int32Array(VALUES * VALUE_WORDS);

export class GuestMemory {
  /** Bytes that were copied in or out since the VM looked last. */
  moved: number = 0;
  #memory: WebAssembly.Memory | null = null;
  /** When it was detached. */
  #lastSize: number = 0;
  #bytes: Uint8Array;
  #buffer: Latin1Buffer;
  /** Reads and writes four bytes at once, wherever they stand. */
  #view: DataView;
  #allocator: Allocator | null = null;
  /** By a hash of the bytes; an entry is used only when all its bytes are the same. */
  #keys: GuestKey[];
  /** The same by their last address. */
  #keysByPlace: GuestKey[];
  /** Values by their last address; each has been looked at and is fit for a header. */
  #valuesByPlace: string[];
  /** Their bytes, four to a number. */
  #valueWords: Int32Array;

  constructor() {
    this.#bytes = new Uint8Array(0);
    this.#buffer = Buffer.alloc(0) as Latin1Buffer;
    this.#view = new DataView(this.#bytes.buffer);
    this.#keys = noKeys;
    this.#keysByPlace = noKeys;
    this.#valuesByPlace = noValues;
    this.#valueWords = noWords;
  }

  /** The instance is there. Before, every range but the empty one at 0 is outside. */
  attach(memory: WebAssembly.Memory, allocator: Allocator | null): void {
    this.#memory = memory;
    this.#allocator = allocator;
    this.#refresh();
  }

  /** Nobody reads or writes the guest's memory here any more: as before it was there. */
  detach(): WebAssembly.Memory | null {
    const memory = this.#memory;
    this.#lastSize = this.size;
    this.#memory = null;
    this.#bytes = new Uint8Array(0);
    this.#buffer = Buffer.alloc(0) as Latin1Buffer;
    this.#view = new DataView(this.#bytes.buffer);
    return memory;
  }

  #refresh(): void {
    if (this.#memory === null) return;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#buffer = Buffer.from(this.#memory.buffer) as Latin1Buffer;
    this.#view = new DataView(this.#memory.buffer);
  }

  /** Growing detaches the old ArrayBuffer, which leaves a view of length 0: a cheap test. */
  get bytes(): Uint8Array {
    if (this.#bytes.byteLength === 0) this.#refresh();
    return this.#bytes;
  }

  /** Bytes of the memory now, or when it was detached. */
  get size(): number {
    return this.#memory === null ? this.#lastSize : this.bytes.byteLength;
  }

  /** The same in pages of 64 KiB. */
  get pages(): number {
    return this.size / PAGE_BYTES;
  }

  contains(pointer: number, size: number): boolean {
    return pointer + size <= this.bytes.byteLength;
  }

  /** The range must be inside. */
  readText(pointer: number, size: number): string {
    this.moved += size;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    return this.#buffer.latin1Slice(pointer, pointer + size);
  }

  /** The range must be inside. */
  readUtf8(pointer: number, size: number): string {
    this.moved += size;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    return this.#buffer.toString("utf8", pointer, pointer + size);
  }

  /** A copy; the range must be inside. */
  readBytes(pointer: number, size: number): Buffer {
    this.moved += size;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    const copy = Buffer.allocUnsafe(size);
    copy.set(this.#bytes.subarray(pointer, pointer + size));
    return copy;
  }

  /** Copies them to the begin of `target`; the range must be inside. */
  copyTo(target: Buffer, pointer: number, size: number): void {
    this.moved += size;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    this.#buffer.copy(target, 0, pointer, pointer + size);
  }

  /** Puts a copy of them in place of all that the queue has; the range must be inside. */
  refill(queue: BufferQueue, pointer: number, size: number): void {
    this.moved += size;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    queue.refill(this.#buffer, pointer, pointer + size);
  }

  /**
   * The text of a value, or null when CR, LF or NUL stand in it. The range must be inside. Many
   * guests write the same value from the same place each time: to compare it takes a fifth of the
   * time that to make the text anew does (10 against 60 ns).
   */
  readValue(pointer: number, size: number): string | null {
    this.moved += size;
    if (size > KEPT_VALUE_BYTES_MAX) return this.#readNewValue(pointer, size);
    const place = (pointer ^ (pointer >>> 6)) & (VALUES - 1);
    const usual = this.#valuesByPlace[place] as string;
    if (usual.length === size && this.#isUsualValue(place * VALUE_WORDS, pointer, size)) {
      return usual;
    }
    const value = this.#readNewValue(pointer, size);
    if (value !== null) {
      if (this.#valuesByPlace === noValues) this.#makeRoomForValues();
      this.#valuesByPlace[place] = value;
      this.#keepValue(place * VALUE_WORDS, pointer, size);
    }
    return value;
  }

  /** Bytes as latin1 text, whatever they are; by the same means. The range must be inside. */
  readUsualText(pointer: number, size: number): string {
    if (size > KEPT_VALUE_BYTES_MAX) return this.readText(pointer, size);
    const value = this.readValue(pointer, size);
    if (value !== null) return value;
    this.moved -= size;
    return this.readText(pointer, size);
  }

  #makeRoomForValues(): void {
    this.#valuesByPlace = noValues.slice();
    this.#valueWords = noWords.slice();
  }

  #isUsualValue(first: number, pointer: number, size: number): boolean {
    const words = this.#valueWords;
    const view = this.#view;
    const end = pointer + (size & ~3);
    let at = first;
    for (let from = pointer; from < end; from += 4) {
      if (view.getInt32(from, true) !== words[at]) return false;
      at += 1;
    }
    return (size & 3) === 0 || this.#readRest(end, size & 3) === words[at];
  }

  #keepValue(first: number, pointer: number, size: number): void {
    const words = this.#valueWords;
    const end = pointer + (size & ~3);
    let at = first;
    for (let from = pointer; from < end; from += 4) {
      words[at] = this.#view.getInt32(from, true);
      at += 1;
    }
    if ((size & 3) !== 0) words[at] = this.#readRest(end, size & 3);
  }

  /** One to three bytes as one number. */
  #readRest(pointer: number, count: number): number {
    const bytes = this.#bytes;
    let rest = bytes[pointer] as number;
    if (count > 1) rest |= (bytes[pointer + 1] as number) << 8;
    if (count > 2) rest |= (bytes[pointer + 2] as number) << 16;
    return rest;
  }

  #readNewValue(pointer: number, size: number): string | null {
    const view = this.#view;
    const end = pointer + size;
    let from = pointer;
    // Four at a time as long as none of them is a control character.
    for (; from + 4 <= end; from += 4) {
      const word = view.getInt32(from, true);
      if (((word - PLAIN_FROM_FOUR_TIMES) & ~word & HIGH_BITS) !== 0) break;
    }
    const bytes = this.#bytes;
    for (; from < end; from += 1) {
      const byte = bytes[from] as number;
      if (byte <= 13 && (byte === 13 || byte === 10 || byte === 0)) return null;
    }
    return this.#buffer.latin1Slice(pointer, end);
  }

  /**
   * A key, from a cache when the same bytes came before: first by address, because most guests
   * have their keys in constants, then by a hash. The range must be inside.
   */
  readKey(pointer: number, size: number): GuestKey {
    if (size > KEY_BYTES_MAX) return new GuestKey(this.readText(pointer, size));
    this.moved += size;
    const place = (pointer ^ (pointer >>> 8)) & (KEYS - 1);
    const usual = this.#keysByPlace[place] as GuestKey;
    if (this.#isKey(usual, pointer, size)) return usual;
    const key = this.#readHashedKey(pointer, size);
    if (this.#keysByPlace === noKeys) this.#keysByPlace = noKeys.slice();
    this.#keysByPlace[place] = key;
    return key;
  }

  #readHashedKey(pointer: number, size: number): GuestKey {
    const bytes = this.#bytes;
    const end = pointer + size;
    let hash = 0;
    for (let i = pointer; i < end; i += 1) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0;
    const slot = (hash ^ (hash >>> 8)) & (KEYS - 1);
    const known = this.#keys[slot] as GuestKey;
    if (this.#isKey(known, pointer, size)) return known;
    const key = new GuestKey(this.#buffer.latin1Slice(pointer, end));
    if (this.#keys === noKeys) this.#keys = noKeys.slice();
    this.#keys[slot] = key;
    return key;
  }

  #isKey(key: GuestKey, pointer: number, size: number): boolean {
    if (key.raw.length !== size) return false;
    const { words } = key;
    const view = this.#view;
    const whole = size >> 2;
    for (let i = 0; i < whole; i += 1) {
      if (view.getInt32(pointer + (i << 2), true) !== words[i]) return false;
    }
    const rest = size & 3;
    return rest === 0 || this.#readRest(pointer + (whole << 2), rest) === words[whole];
  }

  /** A loop of hostcalls shall not take longer than its budget says. */
  #chargeMove(size: number): void {
    this.#allocator?.charge(size >>> MOVED_BYTES_SHIFT);
  }

  readU32(pointer: number): number {
    return this.#view.getUint32(pointer, true);
  }

  /** False when the four bytes are not all inside. Out parameters need not be aligned. */
  writeU32(pointer: number, value: number): boolean {
    if (!this.contains(pointer, 4)) return false;
    this.#view.setInt32(pointer, value | 0, true);
    return true;
  }

  /** Of a whole number that is not negative; beyond 2^53 the low bits are lost. */
  writeU64(pointer: number, value: number): boolean {
    if (!this.contains(pointer, 8)) return false;
    const high = Math.floor(value / 4_294_967_296);
    this.writeU32(pointer, value - high * 4_294_967_296);
    return this.writeU32(pointer + 4, high);
  }

  /** The range must be inside. */
  writeBytes(pointer: number, source: Uint8Array): void {
    this.bytes.set(source, pointer);
  }

  /** The range must be inside. */
  fill(pointer: number, size: number, byte: number): void {
    this.bytes.fill(byte, pointer, pointer + size);
  }

  /**
   * Room for `size` bytes (not 0) in the guest's heap; 0 when its allocator gave none, or an
   * address outside. Runs guest code: every view is looked at anew afterwards.
   */
  allocate(size: number): number {
    const allocator = this.#allocator;
    if (allocator === null) return 0;
    if (size > FREE_BYTES_MAX) this.#chargeMove(size);
    const pointer = allocator.allocate(size) >>> 0;
    return pointer !== 0 && this.contains(pointer, size) ? pointer : 0;
  }

  /**
   * Hands latin1 text to the guest: bytes from its allocator, their address and size to the two out
   * parameters. Nothing is allocated for empty text: 0 and 0. False = a pointer is bad.
   */
  returnText(text: string, outPointer: number, outSize: number): boolean {
    if (!this.contains(outPointer, 4) || !this.contains(outSize, 4)) return false;
    const size = text.length;
    this.moved += size;
    let pointer = 0;
    if (size > 0) {
      pointer = this.allocate(size);
      if (pointer === 0) return false;
      if (size <= LOOP_BYTES_MAX) {
        const bytes = this.#bytes;
        for (let i = 0; i < size; i += 1) bytes[pointer + i] = text.charCodeAt(i);
      } else this.#buffer.latin1Write(text, pointer, size);
    }
    this.writeU32(outPointer, pointer);
    return this.writeU32(outSize, size);
  }

  /** As returnText, for bytes. */
  returnBytes(source: Uint8Array, outPointer: number, outSize: number): boolean {
    const pointer = this.returnRoom(source.length, outPointer, outSize);
    if (pointer < 0) return false;
    if (source.length > 0) this.#bytes.set(source, pointer);
    return true;
  }

  /** As returnText, but the caller writes the bytes at the returned address; -1 = bad pointer. */
  returnRoom(size: number, outPointer: number, outSize: number): number {
    if (!this.contains(outPointer, 4) || !this.contains(outSize, 4)) return -1;
    this.moved += size;
    const pointer = size > 0 ? this.allocate(size) : 0;
    if (size > 0 && pointer === 0) return -1;
    this.writeU32(outPointer, pointer);
    this.writeU32(outSize, size);
    return pointer;
  }
}
