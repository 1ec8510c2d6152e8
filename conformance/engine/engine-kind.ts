// Engines by name, for threads and processes that make their own.
import { Clock } from "../../runtime/src/core/clock.ts";
import type { NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { createNodeEngine, type NodeRung } from "../../runtime/src/engine-node/node-engine.ts";
import { newEstateMemory } from "../../runtime/src/engine-uring/estate.ts";
import { createUringEngine } from "../../runtime/src/engine-uring/uring-engine.ts";

export type EngineKind = NodeRung | "io_uring";

export function createEngine(
  kind: EngineKind,
  estateMemory: SharedArrayBuffer = newEstateMemory(),
): NetworkEngine {
  if (kind !== "io_uring") return createNodeEngine({ clock: new Clock(), rung: kind });
  const engine = createUringEngine(new Clock(), estateMemory);
  if (typeof engine === "string") throw new Error(engine);
  return engine;
}
