// The messages between the main thread and its workers. All data is structured-clone-able; apply is
// two-phase: prepare in all workers, then commit in all, or abort in all.
import type {
  ClusterMembership,
  DynamicRouteTable,
  DynamicSecret,
  Snapshot,
} from "../config/snapshot.ts";
import type { TraceRule } from "../config/trace-rule.ts";
import type { LogLevel } from "../core/logger.ts";
import type { RuntimeValue } from "../core/runtime.ts";
import type { OverloadLevels } from "../overload/overload-manager.ts";
import type { StatDefinition } from "../stats/store.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import type { ShadowDifference } from "../wasm/shadow/shadow.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import type { DrainOptions } from "./drain-manager.ts";
import type { NetworkWish } from "./network-wish.ts";

/** What a worker is born with (workerData). */
export interface WorkerBirth {
  readonly index: number;
  readonly logLevel: LogLevel;
  readonly componentLevels: ReadonlyMap<string, LogLevel>;
  readonly logFormat: string;
  readonly logPath: string;
  /** Circuit-breaker cells shared by all workers. */
  readonly breakerMemory: SharedArrayBuffer;
  /** Clusters that have room in it. */
  readonly clustersMax: number;
  readonly drain: DrainOptions;
  /** Counts of downstream connections, shared by all workers; see network/connection-admission. */
  readonly connectionMemory: SharedArrayBuffer;
  /** Listeners that have room in it. */
  readonly listenersMax: number;
  /** Shared data and queues of guests; see wasm/shared-store. */
  readonly guestStoreMemory: SharedArrayBuffer;
  /** Their gauges; see wasm/shared-gauges. */
  readonly guestGaugesMemory: SharedArrayBuffer;
  /** Heartbeats of all threads: PulseMemory. */
  readonly pulseMemory: SharedArrayBuffer;
  /** Milliseconds between flushes of access logs. */
  readonly fileFlushIntervalMs: number;
  /** The same for all workers: a session of one is resumed by another. */
  readonly ticketKeys: readonly Uint8Array[];
  readonly network: NetworkWish;
}

/** An address that a worker listens on, as the kernel gave it. */
export interface ListenerAddress {
  readonly listener: string;
  /** Index among the listener's addresses, its main one first. */
  readonly index: number;
  readonly address: string;
  readonly port: number;
  readonly family: "ipv4" | "ipv6" | "unix";
}

export interface PrepareMessage {
  readonly type: "prepare";
  readonly version: number;
  readonly snapshot: Snapshot;
  readonly memberships: readonly ClusterMembership[];
  /** By their keys, for the plugins of the snapshot. */
  readonly modules: ReadonlyMap<string, CompiledModule>;
  /** What the first worker bound: ports that were 0 are known to the others. */
  readonly bound: readonly ListenerAddress[];
}

/** New tables for connection managers of the version in force; nothing else changes. */
export interface PrepareRoutesMessage {
  readonly type: "prepare_routes";
  readonly version: number;
  /** Those that have changed. */
  readonly routeTables: readonly DynamicRouteTable[];
  readonly hostname: string;
}

/** New secrets for TLS contexts of the version in force; nothing else changes. */
export interface PrepareSecretsMessage {
  readonly type: "prepare_secrets";
  readonly version: number;
  /** Those that have changed. */
  readonly secrets: readonly DynamicSecret[];
}

export type ChangeMessage = PrepareRoutesMessage | PrepareSecretsMessage;

/** What comes into force without a whole version. */
export type VersionChange =
  | { readonly routeTables: readonly DynamicRouteTable[] }
  | { readonly secrets: readonly DynamicSecret[] };

export function changeMessage(
  version: number,
  change: VersionChange,
  hostname: string,
): ChangeMessage {
  if ("secrets" in change) return { type: "prepare_secrets", version, ...change };
  return { type: "prepare_routes", version, ...change, hostname };
}

/** By the plugins' names; null = not traced. */
export type GuestTraceRules = ReadonlyMap<string, TraceRule | null>;

export type ToWorker =
  | PrepareMessage
  | PrepareRoutesMessage
  | PrepareSecretsMessage
  | { readonly type: "commit"; readonly version: number }
  | { readonly type: "abort"; readonly version: number }
  | { readonly type: "membership"; readonly membership: ClusterMembership }
  /** /healthcheck/fail: answers of listeners of the default drain type say `connection: close`. */
  | { readonly type: "healthcheck"; readonly isFailed: boolean }
  /** A drain sequence has begun: more and more answers say `connection: close`. */
  | {
      readonly type: "drain";
      /** Only listeners whose traffic direction is inbound. */
      readonly inboundOnly: boolean;
      /** How long ago it began. */
      readonly elapsedMs: number;
    }
  | { readonly type: "stop_listening"; readonly inboundOnly: boolean }
  /** Stop accepting, close idle connections, answer `drained` when none is left. */
  | { readonly type: "stop" }
  /** After `stop`: there was time enough, the connections that are left are reset. */
  | { readonly type: "cut" }
  /** What /runtime_modify has set: all of it. */
  | { readonly type: "runtime"; readonly overrides: ReadonlyMap<string, RuntimeValue> }
  /** The overload manager's levels, whenever one changes. */
  | { readonly type: "overload"; readonly levels: OverloadLevels }
  /** A thread has put items into a queue whose consumer is in that thread. */
  | { readonly type: "queue_wake"; readonly thread: number; readonly token: number }
  /** The process's keys have changed: all of them, the one that makes tickets first. */
  | { readonly type: "ticket_keys"; readonly keys: readonly Uint8Array[] }
  /** Whose calls are logged, besides what policies say: all rules of the admin's switch. */
  | { readonly type: "guest_traces"; readonly rules: GuestTraceRules }
  | { readonly type: "shrink_heap" }
  | { readonly type: "log_level"; readonly component: string | null; readonly level: LogLevel }
  | { readonly type: "reopen_logs" };

export type FromGuests =
  /** A guest was stopped: main knows where its sources are. */
  | { readonly type: "guest_trap"; readonly trap: GuestTrap }
  /** Versions of a plugin have made different things of a stream. */
  | { readonly type: "shadow_difference"; readonly difference: ShadowDifference }
  /** Guests' gauges that a worker uses, in the memory of all. */
  | { readonly type: "guest_gauges"; readonly definitions: readonly StatDefinition[] }
  /** It has put items into a queue whose consumer is in another thread. */
  | { readonly type: "queue_wake"; readonly thread: number; readonly token: number };

export type FromWorker =
  | { readonly type: "online"; readonly statsMemory: SharedArrayBuffer; readonly engine: string }
  | { readonly type: "stats"; readonly definitions: readonly StatDefinition[] }
  | FromGuests
  | {
      readonly type: "prepared";
      readonly version: number;
      readonly addresses: readonly ListenerAddress[];
    }
  /** Prepare failed; nothing of it stays. */
  | { readonly type: "refused"; readonly version: number; readonly problems: readonly string[] }
  | { readonly type: "committed"; readonly version: number }
  /** Nothing is left, and access logs are written. */
  | { readonly type: "drained" };
