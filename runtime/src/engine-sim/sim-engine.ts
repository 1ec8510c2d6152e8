// The network engine of one party of a simulated network. Made by simulations; deterministic: all
// it does follows from the loop's events.
import { assert } from "../core/assert.ts";
import { Clock } from "../core/clock.ts";
import type {
  ConnectOptions,
  EngineCapabilities,
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
  ListenOptions,
  NetworkEngine,
  SocketAddress,
} from "../engine/network-engine.ts";
import type { TlsEvents, TlsStart } from "../engine/tls.ts";
import type { FaultProfile } from "./fault-profile.ts";
import { readAreaBytesMax, SimCore } from "./sim-core.ts";
import { SimIo } from "./sim-io.ts";
import type { Accepting, SimNetwork } from "./sim-network.ts";
import { goodManners, SimTlsIo } from "./sim-tls-io.ts";
import type { SimSocket } from "./sim-socket.ts";

export class SimEngine implements NetworkEngine {
  readonly name: string = "simulated";
  readonly capabilities: EngineCapabilities = {
    reusePort: true,
    abstractUnixSockets: true,
    tls: true,
  };
  readonly core: SimCore;
  readonly #network: SimNetwork;
  readonly #profile: FaultProfile;
  readonly #listeners: SimListener[];
  #nextIoId: number = 0;

  /** `profile` is for the connections that this party makes. A read brings `readBytesMax`. */
  constructor(
    network: SimNetwork,
    profile: FaultProfile,
    clock: Clock = new Clock(network.loop),
    readBytesMax: number = readAreaBytesMax,
  ) {
    this.core = new SimCore(network.loop, clock, readBytesMax);
    this.#network = network;
    this.#profile = profile;
    this.#listeners = [];
  }

  listen(address: SocketAddress, options: ListenOptions, events: ListenEvents): ListenHandle {
    const listener = new SimListener(this, this.#network, address, options, events);
    this.#listeners.push(listener);
    return listener;
  }

  connect(address: SocketAddress, options: ConnectOptions, events: IoEvents): SimIo {
    const io = this.newIo(null, address);
    io.setEvents(events);
    this.#network.connect(address, options.bindAddress, this.#profile, (socket, code) =>
      io.connected(socket, code),
    );
    return io;
  }

  startTls(io: IoHandle, start: TlsStart, events: TlsEvents): SimTlsIo {
    assert(io instanceof SimIo);
    return new SimTlsIo(io.takeOver(), start, events, goodManners);
  }

  runTurn(callback: () => void): void {
    this.core.runTurn(callback);
  }

  /** This side's ends of all connections that stand. */
  get connections(): readonly SimSocket[] {
    return [...this.core.open].flatMap((io) =>
      io instanceof SimIo && io.socket !== null ? [io.socket] : [],
    );
  }

  /** As when the thread ends in the middle: connections and listeners are closed by the kernel. */
  crash(): void {
    this.core.hasCrashed = true;
    for (const listener of this.#listeners) listener.crash();
    for (const io of this.core.open) io.crash();
  }

  /** For the listeners. */
  newIo(socket: SimSocket | null, remote: SocketAddress | null): SimIo {
    this.#nextIoId += 1;
    return new SimIo(this.core, this.#nextIoId, socket, remote);
  }
}

class SimListener implements ListenHandle, Accepting {
  readonly options: ListenOptions;
  readonly #engine: SimEngine;
  readonly #network: SimNetwork;
  readonly #events: ListenEvents;
  #address: SocketAddress;
  #isBound: boolean;
  #isClosed: boolean = false;
  /** Its thread has ended. */
  #hasCrashed: boolean = false;

  constructor(
    engine: SimEngine,
    network: SimNetwork,
    address: SocketAddress,
    options: ListenOptions,
    events: ListenEvents,
  ) {
    this.options = options;
    this.#engine = engine;
    this.#network = network;
    this.#events = events;
    this.#address = address;
    const bound = network.bind(address, options);
    this.#isBound = typeof bound !== "string";
    if (typeof bound !== "string") {
      this.#address = bound;
      network.listen(this);
    }
    network.loop.after(0, "listen", 0, () => this.#started(typeof bound === "string" ? bound : ""));
  }

  get address(): SocketAddress {
    return this.#address;
  }

  get localAddress(): SocketAddress {
    return this.#address;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isBound) this.#network.unlisten(this);
  }

  crash(): void {
    this.#hasCrashed = true;
    this.close();
  }

  onConnection(socket: SimSocket): void {
    if (this.#isClosed) {
      // The accept queue dies with its listener.
      if (this.#hasCrashed) this.#network.noteLostAccept(socket);
      socket.reset();
      return;
    }
    const io: IoHandle = this.#engine.newIo(socket, null);
    this.#engine.runTurn(() => {
      const events = this.#events.onAccept(io);
      if (events === null) io.close();
      else (io as SimIo).accepted(events);
    });
  }

  #started(code: string): void {
    if (this.#isClosed) return;
    if (code !== "") this.close();
    this.#engine.runTurn(() => {
      if (code === "") this.#events.onListening();
      else this.#events.onError(code);
    });
  }
}
