// What clients and upstreams have of the simulation around them.
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import type { SimTlsIo } from "../../src/engine-sim/sim-tls-io.ts";
import type { SimSocket } from "../../src/engine-sim/sim-socket.ts";
import type { IoEvents, IoHandle } from "../../src/engine/network-engine.ts";
import type { Exchange } from "./exchange.ts";
import type { Head } from "./message-reader.ts";

/** An end of a connection that is not the proxy's. */
export type PeerIo = SimIo | SimTlsIo;

export interface Party {
  /** Connects to the proxy. */
  connect(port: number, events: IoEvents): PeerIo;
  readonly nowMs: number;
  later(delayMs: number, kind: string, subject: number, callback: () => void): void;
  /** The head of its answer has come. */
  answered(client: IoEvents, exchange: Exchange, head: Head): void;
  /** The outcome of an exchange is known. */
  settled(exchange: Exchange): void;
  /** Something that must not be: ends the run. */
  fail(message: string, exchange: Exchange | undefined): never;
  findExchange(id: string | null): Exchange | undefined;
  /** Connects may fail: the network is bad, or the listener is closed. */
  readonly mayFailToConnect: boolean;
  /** Upstreams send responses that nobody asked for. */
  readonly hasSurplus: boolean;
  /** An upstream closes a connection on which a request may be on its way. */
  noteIdleClose(): void;
  /** `exchange` is on its way, through this end of a connection to the proxy. */
  noteSent(exchange: Exchange, socket: SimSocket | null): void;
  /** An upstream's end, with TLS where upstreams have it. */
  accept(io: SimIo): PeerIo;
  /** Perhaps this connection reads slowly from now on, as long as it is there. */
  readSlowly(subject: number, io: IoHandle, isThere: () => boolean): void;
}
