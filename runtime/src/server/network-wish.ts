// The engine that was asked for (--network-engine), or the one that is to be had.
import type { Clock } from "../core/clock.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import { newEstateMemory, settleEstate } from "../engine-uring/estate.ts";
import { createUringEngine } from "../engine-uring/uring-engine.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";

/** "auto": io_uring where it is to be had. */
export type EngineKind = "auto" | "node" | "io_uring";

/** What a thread is told of its engine. */
export interface NetworkWish {
  readonly kind: EngineKind;
  /** What outlives the thread is written down here; null = nothing does. */
  readonly estateMemory: SharedArrayBuffer | null;
}

export const NODE_NETWORK: NetworkWish = { kind: "node", estateMemory: null };

export function newNetworkWish(kind: EngineKind): NetworkWish {
  return kind === "node" ? NODE_NETWORK : { kind, estateMemory: newEstateMemory() };
}

/** Its thread has ended. */
export function settleNetwork({ estateMemory }: NetworkWish): void {
  if (estateMemory !== null) settleEstate(estateMemory);
}

export function createEngine(clock: Clock, { kind, estateMemory }: NetworkWish): NetworkEngine {
  if (estateMemory === null) return createNodeEngine({ clock });
  const engine = createUringEngine(clock, estateMemory);
  if (typeof engine !== "string") return engine;
  const addition =
    kind === "auto" ? `, as io_uring is not to be had: ${engine}` : `${INSTEAD} ${engine}`;
  return createNodeEngine({ clock, addition });
}

const INSTEAD = " instead of io_uring:";

/** Whether an engine of this name stands in for the one that was asked for. */
export function isSubstitute(engineName: string): boolean {
  return engineName.includes(INSTEAD);
}
