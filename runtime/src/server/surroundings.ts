// What a worker has from the machine around it: time, network, files, chance. worker.ts takes the
// real one; simulations bring a world of their own, so that everything else is what runs.
import { nodeFileIo } from "../access-log/file-sink.ts";
import type { FileIo } from "../access-log/file-sink.ts";
import { systemTime } from "../core/clock.ts";
import type { Clock, TimeSource } from "../core/clock.ts";
import { SystemRandom } from "../core/random.ts";
import type { Random } from "../core/random.ts";
import { intervalTicks } from "../core/timer-wheel.ts";
import type { TickSource } from "../core/timer-wheel.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import type { FilterChainFactory } from "../filter/http-filter.ts";
import { createEngine, NODE_NETWORK, type NetworkWish } from "./network-wish.ts";

export interface Surroundings {
  readonly time: TimeSource;
  readonly ticks: TickSource;
  readonly random: Random;
  readonly files: FileIo;
  readonly createEngine: (clock: Clock) => NetworkEngine;
  /** Calls back in the next turn of the event loop. */
  readonly nextTurn: (callback: () => void) => void;
  /** The chains of a connection manager as they shall be; the identity but for simulations. */
  readonly wrapFilters: (filters: FilterChainFactory) => FilterChainFactory;
  /** The same of the chains behind its router; null = there are none. */
  readonly wrapUpstreamFilters: (filters: FilterChainFactory | null) => FilterChainFactory | null;
}

/** One per worker. */
export function systemSurroundings(network: NetworkWish = NODE_NETWORK): Surroundings {
  return {
    time: systemTime,
    ticks: intervalTicks,
    random: new SystemRandom(),
    files: nodeFileIo,
    createEngine: (clock) => createEngine(clock, network),
    nextTurn: (callback) => void setImmediate(callback),
    wrapFilters: (filters) => filters,
    wrapUpstreamFilters: (filters) => filters,
  };
}
