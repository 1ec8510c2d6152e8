// What a server is started with; made by cli/ from the command line, or by code that embeds
// Headgate.
import type { LogLevel } from "../core/logger.ts";

export interface ServerOptions {
  /** Bootstrap file; "" = only `configYaml`. */
  readonly configPath: string;
  /** Inline YAML merged over the file; "" = none. */
  readonly configYaml: string;
  /** Worker threads, at least 1. Default: the machine's processors. */
  readonly concurrency: number;
  readonly allowUnknownStaticFields: boolean;
  /** Valid but unimplemented configuration is a warning. */
  readonly ignoreUnsupported: boolean;
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
  /** File for the admin interface's address; "" = none. */
  readonly adminAddressPath: string;
  readonly baseId: number;
  readonly logLevel: LogLevel;
  readonly componentLevels: ReadonlyMap<string, LogLevel>;
  readonly logFormat: string;
  /** "" = standard error. */
  readonly logPath: string;
  /** As given, for /server_info. */
  readonly mode: "serve" | "validate" | "init_only";
  /** The module that workers run. */
  readonly workerEntry: URL;
}
