// node:ffi with a kernel behind it that refuses one thing: what the io_uring engine meets on machines
// where it is not to be had.
import type { Ffi } from "../../runtime/src/engine-uring/native.ts";
import { RegisterCode, Syscall } from "../../runtime/src/engine-uring/uring-abi.ts";

const RING_FD = 900;
const EPOLL_FD = 901;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const ERRNO_AT = 0x1000n;
const LOOP_AT = 0x2000n;
/** Where the loop has its file descriptor. */
const LOOP_BACKEND_AT = 64;
const EINVAL = 22;

export interface Refusal {
  /** errno of io_uring_setup. */
  readonly setup?: number;
  /** What the kernel says of its io_uring. */
  readonly features?: number;
  /** Nobody may ask for the operations. */
  readonly hasProbe?: boolean;
  /** Is not among them. */
  readonly operation?: number;
  /** errno of the registration of read buffers. */
  readonly buffers?: number;
  /** So many times there is memory. */
  readonly maps?: number;
  /** errno of eventfd. */
  readonly eventfd?: number;
  /** The event loop's memory is another one. */
  readonly isOtherLoop?: boolean;
}

type CFunction = (...args: never[]) => unknown;

export class FakeFfi implements Ffi {
  /** Of the ring, while it is open. */
  readonly open: Set<number> = new Set();
  readonly #refusal: Refusal;
  readonly #memory: Map<bigint, ArrayBuffer> = new Map();
  #next: bigint = 0x10_0000n;
  #maps: number = 0;

  constructor(refusal: Refusal) {
    this.#refusal = refusal;
    this.#memory.set(ERRNO_AT, new ArrayBuffer(4));
    const loop = new ArrayBuffer(1024);
    const backend = refusal.isOtherLoop === true ? 0 : EPOLL_FD;
    new Int32Array(loop)[LOOP_BACKEND_AT >> 2] = backend;
    this.#memory.set(LOOP_AT, loop);
  }

  dlopen(
    _path: null,
    definitions: Record<string, { arguments: readonly string[]; return: string }>,
  ): { readonly functions: Record<string, CFunction> } {
    const made: Record<string, CFunction> = {
      mmap: (_address: bigint, length: bigint) => this.#map(Number(length)),
      close: (fd: number) => (this.open.delete(fd) ? 0 : this.#fail(9)),
      eventfd: () => this.#fail(this.#refusal.eventfd ?? EINVAL),
      __errno_location: () => ERRNO_AT,
      uv_backend_fd: () => EPOLL_FD,
      uv_loop_size: () => 1024n,
      uv_now: () => 0n,
      syscall: (call: number, ...rest: never[]) => this.#syscall(call, rest),
    };
    const functions = Object.keys(definitions).map((name) => [
      name,
      made[name] ?? ((): number => 0),
    ]);
    return { functions: Object.fromEntries(functions) as Record<string, CFunction> };
  }

  toArrayBuffer(pointer: bigint): ArrayBuffer {
    return this.#memory.get(pointer) as ArrayBuffer;
  }

  getRawPointer(): bigint {
    return 0n;
  }

  getCurrentEventLoop(): bigint {
    return LOOP_AT;
  }

  #map(length: number): bigint {
    this.#maps += 1;
    if (this.#maps > (this.#refusal.maps ?? Number.POSITIVE_INFINITY)) {
      this.#fail(12);
      return MAP_FAILED;
    }
    const at = this.#next;
    this.#memory.set(at, new ArrayBuffer(length));
    this.#next += BigInt(length);
    return at;
  }

  #fail(errno: number): number {
    new Int32Array(this.toArrayBuffer(ERRNO_AT))[0] = errno;
    return -1;
  }

  #syscall(call: number, rest: readonly unknown[]): number {
    if (call === Syscall.Setup) return this.#setup(rest[1] as bigint);
    if (rest[1] === RegisterCode.Probe) return this.#probe(rest[2] as bigint);
    const { buffers } = this.#refusal;
    return buffers === undefined ? 0 : this.#fail(buffers);
  }

  /** Writes sizes and places of small queues, as io_uring_setup does. */
  #setup(parameters: bigint): number {
    const { setup, features } = this.#refusal;
    if (setup !== undefined) return this.#fail(setup);
    const words = new Uint32Array(this.toArrayBuffer(parameters));
    const written: readonly (readonly [number, number])[] = [
      [0, 8],
      [4, 16],
      [20, features ?? 0xffff],
      [40, 0],
      [44, 4],
      [56, 8],
      [64, 64],
      [80, 12],
      [84, 16],
      [100, 128],
    ];
    for (const [at, value] of written) words[at >> 2] = value;
    this.open.add(RING_FD);
    return RING_FD;
  }

  #probe(place: bigint): number {
    if (this.#refusal.hasProbe === false) return this.#fail(EINVAL);
    const halves = new Uint16Array(this.toArrayBuffer(place));
    for (let operation = 0; operation < 256; operation += 1) {
      halves[8 + operation * 4 + 1] = operation === this.#refusal.operation ? 0 : 1;
    }
    return 0;
  }
}
