// What a server is started with; made by cli/ from the command line, or by code that embeds
// Headgate.
import type { TraceRule } from "../config/trace-rule.ts";
import type { LogLevel } from "../core/logger.ts";
import type { EngineKind } from "./network-wish.ts";

/** How this process and others on the same host follow one another. */
export interface TakeoverOptions {
  /**
   * off: not at all; offer: a later process may take over from this one; take: this one takes over,
   * too, if there is somebody; require: there must be somebody.
   */
  readonly mode: "off" | "offer" | "take" | "require";
  /** Processes of one base id follow one another; others do not know of them. Default 0. */
  readonly baseId: number;
  /** 0 for the first process; the next ones count on from whom they take over from. */
  readonly restartEpoch: number;
  /** What the process before gets from the takeover to its end. Default 900000. */
  readonly parentShutdownMs: number;
  /** "" = in a folder of this user; "_" and the base id are appended. */
  readonly socketPath: string;
  /** Of the socket's file. Default 0o600. */
  readonly socketMode: number;
}

export interface ServerOptions {
  /** Bootstrap file; "" = only `configYaml`. */
  readonly configPath: string;
  /** Inline YAML merged over the file; "" = none. */
  readonly configYaml: string;
  /** Worker threads, at least 1. Default: the machine's processors. */
  readonly concurrency: number;
  /** Of the workers; where it is not to be had, node. Default "node". */
  readonly networkEngine: EngineKind;
  readonly allowUnknownStaticFields: boolean;
  /** Valid but unimplemented configuration is a warning. */
  readonly ignoreUnsupported: boolean;
  /** Modules may import functions of the ABI's or WASI's names that do not exist. Default false. */
  readonly wasmLenientImports: boolean;
  /** Guests get configurations of type Struct as JSON text. */
  readonly wasmStructAsJson: boolean;
  readonly serviceNode: string;
  readonly serviceCluster: string;
  readonly serviceZone: string;
  /** Default 10000. */
  readonly fileFlushIntervalMs: number;
  /** Default 600000. */
  readonly drainTimeMs: number;
  readonly drainStrategy: "gradual" | "immediate";
  /** Milliseconds that streams in flight get after SIGTERM. Default 10000. */
  readonly sigtermDrainMs: number;
  /** A worker whose event loop is stuck for so long is replaced; 0 = never. Default 10000. */
  readonly workerStuckKillMs: number;
  /** File for the admin interface's address; "" = none. */
  readonly adminAddressPath: string;
  readonly takeover: TakeoverOptions;
  /** The bootstrap file is watched: a change reloads it. Default false. */
  readonly watchConfig: boolean;
  /** Files of plugins' modules are watched. Default false. */
  readonly watchModules: boolean;
  /** Who may change plugins by the admin interface. Default "local". */
  readonly wasmPush: "off" | "local" | "any";
  /** What they must show; "" = nothing. */
  readonly wasmPushToken: string;
  /** What guests may use; "" = the defaults for all. */
  readonly wasmPolicyPath: string;
  /** The plugin whose calls are logged; "" = what its policy says. */
  readonly wasmTrace: string;
  /** Of which of its streams. */
  readonly wasmTraceRule: TraceRule;
  /** Unknown fields in resources of xDS are errors. Default false: warnings. */
  readonly rejectUnknownDynamicFields: boolean;
  readonly logLevel: LogLevel;
  readonly componentLevels: ReadonlyMap<string, LogLevel>;
  readonly logFormat: string;
  /** "" = standard error. */
  readonly logPath: string;
  /** As given, for /server_info. */
  readonly mode: "serve" | "validate" | "init_only";
  readonly entries: ThreadEntries;
}

/** The modules that threads run. */
export interface ThreadEntries {
  readonly worker: URL;
  readonly probe: URL;
}
