// What it takes to run a worker without its main thread: its birth, and a configuration from YAML. For the
// simulation and for benches.
import { loadBootstrap } from "../src/config/bootstrap-loader.ts";
import type { Schema } from "../src/config/schema.ts";
import type { Snapshot } from "../src/config/snapshot.ts";
import { defaultWasmPolicies } from "../src/config/wasm-policy.ts";
import { translateBootstrap } from "../src/config/translate/translate-bootstrap.ts";
import { LogLevel } from "../src/core/logger.ts";
import { sharedCountsMemory } from "../src/core/shared-counts.ts";
import { connectionCells } from "../src/network/connection-admission.ts";
import type { PluginModuleLoader } from "../src/server/plugin-modules.ts";
import type { WorkerBirth } from "../src/server/protocol.ts";
import { NODE_NETWORK } from "../src/server/network-wish.ts";
import { PulseMemory } from "../src/server/pulse.ts";
import { breakerMemory } from "../src/upstream/circuit-breaker.ts";
import { sharedGaugesMemory } from "../src/wasm/shared-gauges.ts";
import { sharedStoreMemory } from "../src/wasm/shared-store.ts";
import type { CompiledModule } from "../src/wasm/compiled-module.ts";

const clustersMax = 16;
const listenersMax = 4;
const drain = { drainTimeMs: 30_000, drainStrategy: "gradual" } as const;
const fileFlushIntervalMs = 1000;

/** The first worker of a process of so many, silent. */
export function newBirth(workers: number = 1): WorkerBirth {
  return {
    index: 0,
    logLevel: LogLevel.Off,
    componentLevels: new Map(),
    logFormat: "%v",
    logPath: "",
    breakerMemory: breakerMemory(workers + 1, clustersMax),
    clustersMax,
    connectionMemory: sharedCountsMemory(workers + 1, connectionCells(listenersMax)),
    listenersMax,
    pulseMemory: PulseMemory.create(workers).memory,
    guestStoreMemory: sharedStoreMemory(),
    guestGaugesMemory: sharedGaugesMemory(workers),
    drain,
    fileFlushIntervalMs,
    ticketKeys: [new Uint8Array(80)],
    network: NODE_NETWORK,
  };
}

export interface WorkerConfig {
  readonly snapshot: Snapshot;
  readonly modules: ReadonlyMap<string, CompiledModule>;
  /** For the next call: making it takes longer than all the rest. */
  readonly schema: Schema;
}

/** Throws what is wrong with it. */
export async function loadWorkerConfig(
  yaml: string,
  loader: PluginModuleLoader,
  schema?: Schema,
): Promise<WorkerConfig> {
  const loaded = await loadBootstrap({ yaml, allowUnknownStaticFields: false, schema });
  const translated = translateBootstrap(loaded, {
    ...drain,
    version: 1,
    serviceNode: "",
    serviceCluster: "",
    serviceZone: "",
    fileFlushIntervalMs,
    ignoreUnsupported: false,
  });
  const { snapshot, modules, problems } = await loader.load(
    translated.snapshot,
    defaultWasmPolicies,
  );
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return { snapshot, modules, schema: loaded.schema };
}
