// What clients and upstreams have of the simulation around them.
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import type { IoEvents, IoHandle } from "../../src/engine/network-engine.ts";
import type { Exchange } from "./exchange.ts";

export interface Party {
  /** Connects to the proxy. */
  connect(port: number, events: IoEvents): SimIo;
  later(delayMs: number, kind: string, subject: number, callback: () => void): void;
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
  /** Perhaps this connection reads slowly from now on, as long as it is there. */
  readSlowly(subject: number, io: IoHandle, isThere: () => boolean): void;
}
