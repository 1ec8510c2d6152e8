// Keeps libuv from sleeping when it gets its turn: an eventfd that it finds readable. Rung by
// uring-loop.ts.
import type { BareHandles, PipeHandle } from "../engine-node/node-internals.ts";
import type { Native } from "./native.ts";

const EFD_CLOEXEC_NONBLOCK = 0o2004000;

const BUFFER_BYTES = 4096;

/** What a pipe's handle has besides what engine-node needs of it. */
interface BellHandle extends PipeHandle {
  /** Ours. */
  buffer: Buffer;
  open(fd: number): number;
  ref(): void;
  unref(): void;
}

export class Bell {
  /** Runs what process.nextTick and promises have waiting. */
  readonly runTicks: () => void;
  readonly #native: Native;
  readonly #handle: BellHandle;
  readonly #fd: number;

  constructor(native: Native, handle: BellHandle, fd: number, runTicks: () => void) {
    this.#native = native;
    this.#handle = handle;
    this.#fd = fd;
    this.runTicks = runTicks;
  }

  /** Whether the loop goes on for our sake alone. */
  keepAlive(isAlive: boolean): void {
    if (isAlive) this.#handle.ref();
    else this.#handle.unref();
  }

  /** libuv will return from its next look at file descriptors at once. */
  ring(): void {
    this.#native.call.eventfd_write(this.#fd, 1n);
  }
}

/** Returns in words why there is none. */
export function hangBell(native: Native, bare: BareHandles): Bell | string {
  const runTicks: unknown = Reflect.get(process, "_tickCallback");
  if (typeof runTicks !== "function") return "process._tickCallback is not there";
  const fd = native.call.eventfd(0, EFD_CLOEXEC_NONBLOCK);
  if (fd < 0) return `no eventfd (${native.errorName})`;
  const handle = bare.newPipe() as BellHandle;
  // From here on the fd is the handle's, and closed with it when the thread ends.
  if (handle.open(fd) !== 0) return "libuv takes no eventfd";
  handle.onread = (): undefined => undefined;
  // Read into for as long as the handle lives, which holds it from here on. Larger than what V8
  // may move.
  handle.buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  handle.useUserBuffer(handle.buffer);
  handle.readStart();
  handle.unref();
  return new Bell(native, handle, fd, runTicks as () => void);
}
