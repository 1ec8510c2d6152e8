// The network engine on io_uring: plain TCP on a ring of the thread, unix sockets and TLS on Node's
// own machinery. Called by server/ where it was asked for; see RATIONALE.md, "Why io_uring through
// node:ffi?".
import type { Clock } from "../core/clock.ts";
import type {
  ConnectOptions,
  EngineCapabilities,
  EngineLimits,
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
  ListenOptions,
  NetworkEngine,
  SocketAddress,
} from "../engine/network-engine.ts";
import type { TlsEvents, TlsStart } from "../engine/tls.ts";
import { EngineCore } from "../engine-node/engine-core.ts";
import { connectHandle, HandleRung } from "../engine-node/handle-io.ts";
import { HandleListener } from "../engine-node/handle-listener.ts";
import { type BareHandles, loadBareHandles } from "../engine-node/node-internals.ts";
import { startTlsOn } from "../engine-node/tls-start.ts";
import { hangBell } from "./bell.ts";
import { Estate } from "./estate.ts";
import { openLoopWindow } from "./loop-window.ts";
import { loadNative, type Native, PAGE_BYTES } from "./native.ts";
import { openReadBuffers } from "./read-buffers.ts";
import { openRing } from "./ring.ts";
import { connectOnRing } from "./ring-connect.ts";
import { RingListener } from "./ring-listener.ts";
import { openSendArena } from "./send-arena.ts";
import { Sockets } from "./sockets.ts";
import { UringLoop } from "./uring-loop.ts";

/**
 * Returns in words why there is none. At most one per thread: two rings cannot both be what the
 * thread sleeps in. `estateMemory` is for who outlives the thread: settleEstate().
 */
export function createUringEngine(
  clock: Clock,
  estateMemory: SharedArrayBuffer,
  native: Native | string = loadNative(),
): UringEngine | string {
  if (process.platform !== "linux") return "io_uring is Linux's";
  const bare = loadBareHandles();
  if (typeof bare === "string") return `no bare handles: ${bare}`;
  const core = new EngineCore(clock);
  if (typeof native === "string") return native;
  const loop = openLoop(core, bare, native, new Estate(estateMemory));
  return typeof loop === "string" ? loop : new UringEngine(loop, new HandleRung(core, bare));
}

function openLoop(
  core: EngineCore,
  bare: BareHandles,
  native: Native,
  estate: Estate,
): UringLoop | string {
  const window = openLoopWindow(native);
  if (window === null) return "this Node's event loop is not laid out as we know it";
  native.estate = estate;
  const scratch = native.map(PAGE_BYTES, -1, 0);
  if (scratch === null) return `no memory (${native.errorName})`;
  const ring = openRing(native, scratch);
  if (typeof ring === "string") return ring;
  const reads = openReadBuffers(native, ring, scratch);
  if (typeof reads === "string") return ring.refuse(reads);
  const arena = openSendArena(native);
  if (typeof arena === "string") return ring.refuse(arena);
  const bell = hangBell(native, bare);
  if (typeof bell === "string") return ring.refuse(bell);
  const sockets = new Sockets(native, scratch);
  ring.registerFd(scratch);
  return new UringLoop({ native, ring, reads, arena, bell, sockets, core, window });
}

/** How often each was met. */
export interface UringLimits extends EngineLimits {
  /** A connection had to wait with its reads for buffers. */
  readonly readBuffersShort: number;
  /** A small write took memory of its own. */
  readonly sendArenaFull: number;
  /** Completions did not fit into the queue, and came later. */
  readonly completionsOverflow: number;
}

export class UringEngine implements NetworkEngine {
  readonly name: string = "io_uring";
  readonly capabilities: EngineCapabilities = {
    reusePort: true,
    abstractUnixSockets: true,
    tls: true,
  };
  readonly coreForTest: EngineCore;
  readonly loopForTest: UringLoop;
  readonly #loop: UringLoop;
  readonly #rung: HandleRung;

  constructor(loop: UringLoop, rung: HandleRung) {
    this.#loop = loop;
    this.#rung = rung;
    this.coreForTest = loop.core;
    this.loopForTest = loop;
  }

  get limits(): UringLimits {
    const { arena, core, reads, ring } = this.#loop;
    return {
      readsHeld: core.readsHeld,
      gathersFull: core.gathersFull,
      batchesFull: core.batchesFull,
      readBuffersShort: reads.short,
      sendArenaFull: arena.refused,
      completionsOverflow: ring.overflows,
    };
  }

  listen(address: SocketAddress, options: ListenOptions, events: ListenEvents): ListenHandle {
    return address.family === "unix"
      ? new HandleListener(this.#rung, address, options, events)
      : new RingListener(this.#loop, address, options, events);
  }

  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): IoHandle {
    return address.family === "unix"
      ? connectHandle(this.#rung, address, options, events)
      : connectOnRing(this.#loop, address, options, events);
  }

  startTls(io: IoHandle, start: TlsStart, events: TlsEvents): IoHandle {
    return startTlsOn(this.#rung.core, this.#rung, io, start, events);
  }

  runTurn(callback: () => void): void {
    this.#rung.core.runTurn(callback);
  }
}
