// The C functions that this room calls, through node:ffi, and the memory it shares with the kernel.
import { constants } from "node:os";
import type { Estate } from "./estate.ts";

/** What dlopen gives; node:ffi has no public types yet. */
export interface Ffi {
  dlopen(
    path: null,
    definitions: Record<string, { arguments: readonly string[]; return: string }>,
  ): { readonly functions: Record<string, (...args: never[]) => unknown> };
  toArrayBuffer(pointer: bigint, length: number, isCopy: false): ArrayBuffer;
  getRawPointer(bytes: Uint8Array): bigint;
  getCurrentEventLoop(): bigint;
}

/** C functions by their own names. Pointers and sizes of 64 bits are BigInts, made once. */
interface Functions {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: bigint, length: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly connect: (fd: number, address: bigint, length: number) => number;
  readonly shutdown: (fd: number, how: number) => number;
  readonly close: (fd: number) => number;
  readonly setsockopt: (
    fd: number,
    level: number,
    name: number,
    value: bigint,
    length: number,
  ) => number;
  readonly getsockname: (fd: number, address: bigint, length: bigint) => number;
  readonly getpeername: (fd: number, address: bigint, length: bigint) => number;
  readonly mmap: (
    address: bigint,
    length: bigint,
    protection: number,
    flags: number,
    fd: number,
    offset: bigint,
  ) => bigint;
  readonly eventfd: (value: number, flags: number) => number;
  readonly eventfd_write: (fd: number, value: bigint) => number;
  readonly munmap: (address: bigint, length: bigint) => number;
  readonly __errno_location: () => bigint;
  readonly uv_ip4_addr: (text: string, port: number, address: bigint) => number;
  readonly uv_ip6_addr: (text: string, port: number, address: bigint) => number;
  readonly uv_ip_name: (address: bigint, text: bigint, length: number) => number;
  readonly uv_backend_fd: (loop: bigint) => number;
  readonly uv_backend_timeout: (loop: bigint) => number;
  readonly uv_update_time: (loop: bigint) => void;
  readonly uv_now: (loop: bigint) => bigint;
  readonly uv_loop_size: () => bigint;
}

type Enter = (
  call: number,
  fd: number,
  submit: number,
  complete: number,
  flags: number,
  signals: 0,
  size: 0,
) => number;
type EnterFor = (
  call: number,
  fd: number,
  submit: number,
  complete: number,
  flags: number,
  argument: bigint,
  size: bigint,
) => number;
type Setup = (call: number, entries: number, parameters: bigint) => number;
type Register = (call: number, fd: number, code: number, argument: bigint, count: number) => number;

const int = "int32";
const pointer = "uint64";
const size = "uint64";

const signatures: Record<string, readonly [readonly string[], string]> = {
  socket: [[int, int, int], int],
  bind: [[int, pointer, int], int],
  listen: [[int, int], int],
  connect: [[int, pointer, int], int],
  shutdown: [[int, int], int],
  close: [[int], int],
  setsockopt: [[int, int, int, pointer, int], int],
  getsockname: [[int, pointer, pointer], int],
  getpeername: [[int, pointer, pointer], int],
  mmap: [[pointer, size, int, int, int, size], pointer],
  eventfd: [[int, int], int],
  eventfd_write: [[int, size], int],
  munmap: [[pointer, size], int],
  __errno_location: [[], pointer],
  uv_ip4_addr: [["string", int, pointer], int],
  uv_ip6_addr: [["string", int, pointer], int],
  uv_ip_name: [[pointer, pointer, int], int],
  uv_backend_fd: [[pointer], int],
  uv_backend_timeout: [[pointer], int],
  uv_update_time: [[pointer], "void"],
  uv_now: [[pointer], "uint64"],
  uv_loop_size: [[], size],
};

const MMAP_FAILED = 0xffff_ffff_ffff_ffffn;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_POPULATE = 0x8000;
const MAP_PRIVATE_ANONYMOUS = 0x22;

export const PAGE_BYTES = 4096;

/** Memory that does not move and is at a known place. */
export interface Region {
  readonly bytes: Buffer;
  readonly address: bigint;
}

export class Native {
  readonly call: Functions;
  readonly enter: Enter;
  readonly enterFor: EnterFor;
  readonly setup: Setup;
  readonly register: Register;
  /** The thread's uv_loop_t. */
  readonly loop: bigint;
  readonly #ffi: Ffi;
  readonly #errno: Int32Array;
  /** Where memory for good is written down. */
  estate: Estate | null = null;

  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    const definitions: Record<string, { arguments: readonly string[]; return: string }> = {};
    for (const [name, [args, result]] of Object.entries(signatures)) {
      definitions[name] = { arguments: args, return: result };
    }
    this.call = ffi.dlopen(null, definitions).functions as unknown as Functions;
    // One library for each form of a variadic function. Its last arguments are declared with all
    // of their 64 bits: the upper half of a smaller one would be what happens to stand there.
    this.enterFor = syscallOf(ffi, [int, int, int, int, int, pointer, size]) as EnterFor;
    // Without signals the kernel does not look at their size. All seven as int32: node:ffi takes
    // its shortest way, and no BigInt is compared.
    this.enter = syscallOf(ffi, [int, int, int, int, int, int, int]) as Enter;
    this.setup = syscallOf(ffi, [int, int, pointer]) as Setup;
    this.register = syscallOf(ffi, [int, int, int, pointer, int]) as Register;
    this.loop = ffi.getCurrentEventLoop();
    this.#errno = new Int32Array(ffi.toArrayBuffer(this.call.__errno_location(), 4, false));
  }

  /** Of the call that has just answered -1. */
  get errno(): number {
    return this.#errno[0] ?? 0;
  }

  get errorName(): string {
    return errorName(this.errno);
  }

  addressOf(bytes: Uint8Array): number {
    return Number(this.#ffi.getRawPointer(bytes));
  }

  /** Memory of somebody else. */
  view(address: bigint, length: number): ArrayBuffer {
    return this.#ffi.toArrayBuffer(address, length, false);
  }

  /** `fd` -1: memory of our own. Null when there is none. */
  map(length: number, fd: number, offset: number): Region | null {
    const flags = fd < 0 ? MAP_PRIVATE_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
    const { mmap } = this.call;
    const address = mmap(0n, BigInt(length), PROT_READ_WRITE, flags, fd, BigInt(offset));
    if (address === MMAP_FAILED) return null;
    this.estate?.mapped(address, length);
    return { bytes: Buffer.from(this.#ffi.toArrayBuffer(address, length, false)), address };
  }
}

function syscallOf(ffi: Ffi, args: readonly string[]): unknown {
  return ffi.dlopen(null, { syscall: { arguments: args, return: int } }).functions["syscall"];
}

const namesByErrno = new Map<number, string>(
  Object.entries(constants.errno).map(([name, value]) => [value, name]),
);

/** "ECONNRESET" of 104; two names of one number are one of them. */
export function errorName(errno: number): string {
  return namesByErrno.get(errno) ?? "EIO";
}

/** Returns why there is none. */
export function loadNative(): Native | string {
  const emitWarning: unknown = Reflect.get(process, "emitWarning");
  // Only for this call: that the module is experimental is said in our own words, in the log.
  process.emitWarning = (): void => {};
  try {
    const ffi = process.getBuiltinModule("node:ffi" as string) as unknown as Ffi | undefined;
    return ffi === undefined ? "this Node has no node:ffi" : new Native(ffi);
  } catch (error) {
    return `node:ffi is refused (${(error as Error).message})`;
  } finally {
    Reflect.set(process, "emitWarning", emitWarning);
  }
}
