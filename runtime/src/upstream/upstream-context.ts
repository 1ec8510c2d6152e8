// What the upstream room is given by server/: the thread's engine, time, chance, stats and codec.
import type { ByteSink, ClientConnection, ClientConnectionCallbacks } from "../codec/codec.ts";
import type { Clock } from "../core/clock.ts";
import type { Http1CodecOptions } from "../core/http1-options.ts";
import type { Random } from "../core/random.ts";
import type { Runtime } from "../core/runtime.ts";
import type { SharedCounts } from "../core/shared-counts.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import type { StatsStore } from "../stats/store.ts";
import type { KeyLogSink } from "../tls/key-log.ts";

/** Makes the codec of one upstream connection. */
export type CreateClientCodec = (
  sink: ByteSink,
  callbacks: ClientConnectionCallbacks,
  options: Http1CodecOptions,
) => ClientConnection;

export interface UpstreamContext {
  readonly engine: NetworkEngine;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly random: Random;
  readonly runtime: Runtime;
  readonly stats: StatsStore;
  readonly breakers: SharedCounts;
  readonly createCodec: CreateClientCodec;
  /** Files for the key logs of TLS; null = this thread writes none. */
  readonly openKeyLog: ((path: string) => KeyLogSink) | null;
  /** To the process log: what is wrong with a cluster and was not known when it was made. */
  readonly warn: (text: string) => void;
  /** Unique in the process, shared with downstream connections. */
  readonly nextConnectionId: () => number;
  /**
   * True in one thread (main): it sets the gauges that would be wrong when summed over threads
   * (membership, remaining_*) and makes all names that Envoy lists from the start.
   */
  readonly ownsClusterStats: boolean;
}
