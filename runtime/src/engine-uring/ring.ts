// One io_uring: its queues as typed arrays, entries prepared for it, and the one call that submits
// them and waits.
import { readFileSync } from "node:fs";
import { assert } from "../core/assert.ts";
import type { Native, Region } from "./native.ts";
import { errorName, PAGE_BYTES } from "./native.ts";
import {
  EnterFlag,
  Feature,
  MapOffset,
  Op,
  QUIET_CLOSE,
  QUIET_TIMEOUT_REMOVE,
  RegisterCode,
  SetupFlag,
  Size,
  SqFlag,
  Syscall,
  TIMEOUT_UPDATE,
} from "./uring-abi.ts";

/** What is prepared between two calls; more is submitted in between. */
const ENTRIES = 1024;

/**
 * The kernel keeps what does not fit, at a price, and ends operations that would go on: enough for
 * every connection of a busy worker to have something at once.
 */
const COMPLETIONS = 16_384;

/** All operations that the engine needs were there before incremental buffers (6.12) came. */
const neededOps = Object.values(Op);

/** errno of enter that say nothing of our entries: ETIME, EINTR, EAGAIN, EBUSY. */
const passing = new Set([62, 4, 11, 16]);

/** The kernel takes all entries at once, but for want of memory. */
export const submitTriesMax = 3;

const TWO_32 = 4_294_967_296;

/**
 * Its heads and tails are read and written as plain words. The kernel looks at them within enter
 * alone, on this very thread: it takes entries there, without a thread of its own for that, and
 * with SetupFlag.DeferTaskrun it posts completions there, too. Atomics are calls of builtins.
 */
export class Ring {
  readonly fd: number;
  /** Calls of enter, for tests and counts. */
  enters: number = 0;
  /** Looks that found more completions than the queue holds; the kernel keeps the others. */
  overflows: number = 0;
  readonly #native: Native;
  readonly #sq: Int32Array;
  readonly #sqes: Int32Array;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #sqMask: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: Int32Array;
  readonly #argument: bigint;
  readonly #time: Int32Array;
  /** Of a timeout under way. */
  readonly #alarm: Int32Array;
  readonly #alarmAt: number;
  /** What enter takes for the ring, and the flag that says what it is. */
  #enterFd: number = -1;
  #enterFlags: number = EnterFlag.GetEvents;
  #tail: number = 0;
  #head: number = 0;
  /** Up to here looked at by see(). */
  #seen: number = 0;
  /** File descriptors whose closing is prepared. */
  #closing: number[] = [];
  /** Submits when there is no room for another entry; who looks after the ring may do more. */
  whenFull: () => void = (): void => this.submit();

  constructor(
    native: Native,
    fd: number,
    parameters: Buffer,
    maps: readonly [Region, Region, Region],
  ) {
    this.#native = native;
    this.fd = fd;
    this.#enterFd = fd;
    const word = (at: number): number => parameters.readUInt32LE(at);
    const [rings, entries, argument] = maps;
    this.#sq = int32s(rings);
    this.#sqes = int32s(entries);
    this.#sqHead = word(40) >> 2;
    this.#sqTail = word(44) >> 2;
    this.#sqMask = word(0) - 1;
    this.#sqFlags = word(56) >> 2;
    const array = word(64) >> 2;
    for (let i = 0; i <= this.#sqMask; i += 1) this.#sq[array + i] = i;
    this.#cqHead = word(80) >> 2;
    this.#cqTail = word(84) >> 2;
    this.#cqMask = word(4) - 1;
    this.#cqes = this.#sq.subarray(word(100) >> 2, (word(100) >> 2) + word(4) * 4);
    // struct io_uring_getevents_arg, and the timespec it points to.
    this.#argument = argument.address;
    this.#time = int32s(argument).subarray(8, 12);
    this.#alarm = int32s(argument).subarray(12, 16);
    this.#alarmAt = Number(argument.address) + 48;
    argument.bytes.writeBigUInt64LE(argument.address + 32n, 16);
    this.#tail = this.#sq[this.#sqTail] ?? 0;
    this.#head = this.#sq[this.#cqHead] ?? 0;
    this.#seen = this.#head;
  }

  /** Prepared entries that the kernel has not got. */
  get prepared(): number {
    return (this.#tail - (this.#sq[this.#sqHead] ?? 0)) | 0;
  }

  /**
   * Prepares one entry. `address` is a pointer as a number, or what stands in its place; `group` is
   * that of buffers to choose from. Completions bring `userData`.
   */
  prepare(
    operation: number,
    fd: number,
    address: number,
    length: number,
    flags: number,
    userData: number,
    offset: number = 0,
    group: number = 0,
  ): void {
    for (let i = 0; this.prepared > this.#sqMask; i += 1) {
      assert(i < submitTriesMax, "a ring that takes no entries");
      this.whenFull();
    }
    const sqes = this.#sqes;
    const at = (this.#tail & this.#sqMask) << 4;
    sqes[at] = operation;
    sqes[at + 1] = fd;
    sqes[at + 2] = offset;
    sqes[at + 3] = (offset / TWO_32) | 0;
    sqes[at + 4] = address;
    sqes[at + 5] = (address / TWO_32) | 0;
    sqes[at + 6] = length;
    sqes[at + 7] = flags;
    sqes[at + 8] = userData;
    sqes[at + 9] = 0;
    sqes[at + 10] = group;
    sqes[at + 11] = 0;
    sqes[at + 12] = 0;
    sqes[at + 13] = 0;
    this.#tail = (this.#tail + 1) | 0;
  }

  /** Behind what was prepared for it. */
  close(fd: number): void {
    this.prepare(QUIET_CLOSE, fd, 0, 0, 0, 0);
    this.#closing.push(fd);
  }

  /** Descriptors are to be closed that the kernel still counts. */
  get isClosing(): boolean {
    return this.#closing.length > 0;
  }

  /** Hands over what is prepared, and lets the kernel do what is due; waits for nothing. */
  submit(): void {
    this.#enter(0);
  }

  /** As submit(), and sleeps until there is a completion. */
  sleep(): void {
    this.#enter(1);
  }

  /** As sleep(), for so long at most. */
  wait(milliseconds: number): void {
    setTime(this.#time, milliseconds);
    const submit = this.#publish();
    const flags = this.#enterFlags | EnterFlag.ExtArg;
    const { enterFor } = this.#native;
    this.#check(enterFor(Syscall.Enter, this.#enterFd, submit, 1, flags, this.#argument, 24n));
  }

  /** Prepares a timeout, or another time for the one under way: `isMoved`. */
  prepareTimeout(milliseconds: number, isMoved: boolean, userData: number): void {
    setTime(this.#alarm, milliseconds);
    const at = this.#alarmAt;
    // The kernel copies the time when it gets the entry: of two in one call both have the last.
    if (!isMoved) this.prepare(Op.Timeout, -1, at, 1, 0, userData);
    else this.prepare(QUIET_TIMEOUT_REMOVE, -1, userData, 0, TIMEOUT_UPDATE, 0, at);
  }

  /** The kernel finds the ring by its index: no count of the file's users, which threads share. */
  registerFd(scratch: Region): void {
    scratch.bytes.writeInt32LE(-1, 0);
    scratch.bytes.writeUInt32LE(0, 4);
    scratch.bytes.writeBigUInt64LE(BigInt(this.fd), 8);
    if (this.register(RegisterCode.RingFd, scratch.address, 1) !== 1) return;
    this.#enterFd = scratch.bytes.readInt32LE(0);
    this.#enterFlags |= EnterFlag.RegisteredRing;
  }

  /** How many completions there are that next() has not gone past. */
  see(): number {
    this.#seen = this.#sq[this.#cqTail] ?? 0;
    if (((this.#sq[this.#sqFlags] ?? 0) & SqFlag.CqOverflow) !== 0) this.overflows += 1;
    return (this.#seen - this.#head) | 0;
  }

  /** Completions that see() has seen. */
  get waiting(): number {
    return (this.#seen - this.#head) | 0;
  }

  /** Index of the n-th of those that wait, for the words below. */
  place(n: number): number {
    return ((this.#head + n) & this.#cqMask) << 2;
  }

  /** The first is done with; its words stay until enter is called. */
  next(): void {
    this.#head = (this.#head + 1) | 0;
  }

  userData(place: number): number {
    return this.#cqes[place] ?? 0;
  }

  result(place: number): number {
    return this.#cqes[place + 2] ?? 0;
  }

  flags(place: number): number {
    return this.#cqes[place + 3] ?? 0;
  }

  /** A word of our own in each completion: the upper half of its user data, which we do not use. */
  note(place: number): number {
    return this.#cqes[place + 1] ?? 0;
  }

  setNote(place: number, value: number): void {
    this.#cqes[place + 1] = value;
  }

  /** Nobody gets it. */
  drop(place: number): void {
    this.#cqes[place] = 0;
  }

  register(code: number, address: bigint, count: number): number {
    const result = this.#native.register(Syscall.Register, this.fd, code, address, count);
    return result < 0 ? -this.#native.errno : result;
  }

  /** There is no engine without what lacks, and so no ring: returns `lack`. */
  refuse(lack: string): string {
    closeFd(this.#native, this.fd);
    return lack;
  }

  /** Hands the heads and tails over; answers how many entries there are. */
  #publish(): number {
    this.#sq[this.#cqHead] = this.#head;
    this.#sq[this.#sqTail] = this.#tail;
    // A length set to 0 is a call into V8.
    if (this.#closing.length > 0) this.#noteClosing();
    this.enters += 1;
    return this.prepared;
  }

  /** Not before: the thread may be ended while it still has other things to do. */
  #noteClosing(): void {
    for (const fd of this.#closing) this.#native.estate?.closing(fd);
    this.#closing.length = 0;
  }

  #enter(complete: number): void {
    const submit = this.#publish();
    const { enter } = this.#native;
    this.#check(enter(Syscall.Enter, this.#enterFd, submit, complete, this.#enterFlags, 0, 0));
  }

  #check(result: number): void {
    if (result >= 0) return;
    const errno = this.#native.errno;
    if (!passing.has(errno)) throw new Error(`io_uring_enter: ${errorName(errno)}`);
  }
}

/** struct timespec. */
function setTime(words: Int32Array, milliseconds: number): void {
  words[0] = Math.floor(milliseconds / 1000);
  words[2] = Math.floor((milliseconds % 1000) * 1_000_000);
}

function int32s(region: Region): Int32Array {
  return new Int32Array(region.bytes.buffer, region.bytes.byteOffset, region.bytes.length >> 2);
}

/** Returns in words why there is none. `scratch`: a page that is free again afterwards. */
export function openRing(native: Native, scratch: Region): Ring | string {
  const parameters = scratch.bytes.subarray(0, Size.Parameters);
  parameters.fill(0);
  const flags =
    SetupFlag.CqSize | SetupFlag.SubmitAll | SetupFlag.SingleIssuer | SetupFlag.DeferTaskrun;
  parameters.writeUInt32LE(COMPLETIONS, 4);
  parameters.writeUInt32LE(flags, 8);
  const fd = native.setup(Syscall.Setup, ENTRIES, scratch.address);
  if (fd < 0) return whyRefused(native.errorName);
  native.estate?.opened(fd);
  const ring = mapRing(native, fd, Buffer.from(parameters));
  if (typeof ring === "string") {
    closeFd(native, fd);
    return ring;
  }
  const flaw = missingOp(ring, scratch);
  return flaw === null ? ring : ring.refuse(flaw);
}

function closeFd(native: Native, fd: number): void {
  native.estate?.closing(fd);
  native.call.close(fd);
}

function whyRefused(code: string): string {
  const name = "kernel.io_uring_disabled";
  let value = "";
  try {
    value = readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim();
  } catch {
    // Kernels before 6.6 have no such setting.
  }
  const setting = value === "" || value === "0" ? "" : `, ${name}=${value}`;
  const limit = code === "ENOMEM" ? "; ulimit -l may be too small" : "";
  return `io_uring_setup is refused (${code}${setting}${limit})`;
}

function mapRing(native: Native, fd: number, parameters: Buffer): Ring | string {
  const features = parameters.readUInt32LE(20);
  const needed = Feature.SingleMmap | Feature.ExtArg;
  if ((features & needed) !== needed) return "this kernel's io_uring is too old";
  const sqEnd = parameters.readUInt32LE(64) + parameters.readUInt32LE(0) * 4;
  const cqEnd = parameters.readUInt32LE(100) + parameters.readUInt32LE(4) * Size.Completion;
  const rings = native.map(Math.max(sqEnd, cqEnd), fd, MapOffset.Rings);
  const entries = native.map(parameters.readUInt32LE(0) * Size.Entry, fd, MapOffset.Entries);
  const argument = native.map(PAGE_BYTES, -1, 0);
  if (rings === null || entries === null || argument === null) {
    return `no memory for the queues (${native.errorName})`;
  }
  return new Ring(native, fd, parameters, [rings, entries, argument]);
}

/** Null = all are there. */
function missingOp(ring: Ring, scratch: Region): string | null {
  const probe = scratch.bytes.subarray(0, Size.Probe);
  probe.fill(0);
  if (ring.register(RegisterCode.Probe, scratch.address, 256) < 0) {
    return "this kernel's io_uring does not say what it can do";
  }
  const lacks = neededOps.find((op) => (probe.readUInt16LE(16 + op * 8 + 2) & 1) === 0);
  return lacks === undefined ? null : `this kernel's io_uring has no operation ${lacks}`;
}
