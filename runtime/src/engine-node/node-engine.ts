// The network engine on Node's own sockets. Called by server/ once per thread; see RATIONALE.md,
// "Why an engine contract?".
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
import { EngineCore } from "./engine-core.ts";
import { connectHandle, HandleRung } from "./handle-io.ts";
import { HandleListener } from "./handle-listener.ts";
import { lacksNullWrites, loadBareHandles } from "./node-internals.ts";
import { adoptSocket, connectSocketHandle } from "./socket-handle-io.ts";
import { connectSocket } from "./socket-io.ts";
import { type Adopt, adoptPlainSocket, SocketListener } from "./socket-listener.ts";
import { startTlsOn } from "./tls-start.ts";

/**
 * How deep the engine goes under node:net, best first: bare TCP and pipe handles; net.Socket with
 * writes through its handle; net.Socket alone.
 */
export type NodeRung = "handle" | "socket-handle" | "socket";

export interface NodeEngineOptions {
  /** The thread's clock; updated at the top of each turn. */
  readonly clock: Clock;
  /** Default: the best rung that works here. */
  readonly rung?: NodeRung;
  /** Why it is this engine and no other; behind its name. */
  readonly addition?: string;
}

/** What an engine has besides the contract; only tests may look. */
export interface NodeEngine extends NetworkEngine {
  readonly coreForTest: EngineCore;
}

const reusePortPlatforms = new Set(["linux", "freebsd", "sunos", "aix"]);

/** Throws when `options.rung` names a rung that does not work on this Node. */
export function createNodeEngine(options: NodeEngineOptions): NodeEngine {
  const engine = createOnRung(options);
  engine.name += options.addition ?? "";
  return engine;
}

function createOnRung(options: NodeEngineOptions): HandleEngine | SocketEngine {
  const core = new EngineCore(options.clock);
  const wanted = options.rung;
  const lack = lacksNullWrites(process.versions.node);
  if (wanted === "socket") return newSocketEngine(core, "node (sockets)", connectSocket);
  if (lack !== null) {
    if (wanted !== undefined) throw new Error(`engine rung ${wanted} does not work: ${lack}`);
    return newSocketEngine(core, `node (sockets; no handles: ${lack})`, connectSocket);
  }
  if (wanted === "socket-handle") {
    return newSocketEngine(core, "node (sockets, handle writes)", connectSocketHandle, adoptSocket);
  }
  const bare = loadBareHandles();
  if (typeof bare !== "string") return new HandleEngine(new HandleRung(core, bare));
  if (wanted === "handle") throw new Error(`engine rung handle does not work: ${bare}`);
  const name = `node (sockets, handle writes; no bare handles: ${bare})`;
  return newSocketEngine(core, name, connectSocketHandle, adoptSocket);
}

type Connect = (
  core: EngineCore,
  address: SocketAddress,
  options: ConnectOptions,
  events: IoEvents,
) => IoHandle;

function newSocketEngine(
  core: EngineCore,
  name: string,
  connect: Connect,
  adopt: Adopt = adoptPlainSocket,
): SocketEngine {
  return new SocketEngine(core, name, connect, adopt);
}

function capabilities(): EngineCapabilities {
  return {
    reusePort: reusePortPlatforms.has(process.platform),
    abstractUnixSockets: process.platform === "linux",
    tls: true,
  };
}

class HandleEngine implements NodeEngine {
  name: string = "node (bare handles)";
  readonly capabilities: EngineCapabilities;
  readonly coreForTest: EngineCore;
  readonly limits: EngineLimits;
  readonly #rung: HandleRung;

  constructor(rung: HandleRung) {
    this.capabilities = capabilities();
    this.coreForTest = rung.core;
    this.limits = rung.core;
    this.#rung = rung;
  }

  listen(address: SocketAddress, options: ListenOptions, events: ListenEvents): ListenHandle {
    return new HandleListener(this.#rung, address, options, events);
  }

  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): IoHandle {
    return connectHandle(this.#rung, address, options, events);
  }

  startTls(io: IoHandle, start: TlsStart, events: TlsEvents): IoHandle {
    return startTlsOn(this.coreForTest, this.#rung, io, start, events);
  }

  runTurn(callback: () => void): void {
    this.#rung.core.runTurn(callback);
  }
}

class SocketEngine implements NodeEngine {
  name: string;
  readonly capabilities: EngineCapabilities;
  readonly coreForTest: EngineCore;
  readonly limits: EngineLimits;
  readonly #connect: Connect;
  readonly #adopt: Adopt;

  constructor(core: EngineCore, name: string, connect: Connect, adopt: Adopt) {
    this.name = name;
    this.capabilities = capabilities();
    this.coreForTest = core;
    this.limits = core;
    this.#connect = connect;
    this.#adopt = adopt;
  }

  listen(address: SocketAddress, options: ListenOptions, events: ListenEvents): ListenHandle {
    return new SocketListener(this.coreForTest, this.#adopt, address, options, events);
  }

  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): IoHandle {
    return this.#connect(this.coreForTest, address, options, events);
  }

  startTls(io: IoHandle, start: TlsStart, events: TlsEvents): IoHandle {
    return startTlsOn(this.coreForTest, null, io, start, events);
  }

  runTurn(callback: () => void): void {
    this.coreForTest.runTurn(callback);
  }
}
