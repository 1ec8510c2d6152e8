// What plugins must agree in to share a VM. Made by WasmHost.
import type { NativeFilterConfig } from "../config/snapshot.ts";
import type { WasmPolicy } from "../config/wasm-policy.ts";

/** What makes a VM besides its code: plugins that agree in all of it may share one. */
export interface VmSettings {
  /** Of the code, for logs; of the first plugin, if several have the same code. */
  readonly moduleName: string;
  /** The plugin that it is made for; others may join. */
  readonly firstPlugin: string;
  readonly vmId: string;
  /** Names its shared data and queues: vmId, or what a version is to have in its place. */
  readonly sharedId: string;
  readonly vmConfiguration: Uint8Array;
  /** KEY and value. */
  readonly environment: readonly (readonly [string, string])[];
  /** Hostcalls and callbacks that are allowed; empty = all. */
  readonly allowedCapabilities: readonly string[];
  /** Null = a guest like others. */
  readonly native: NativeFilterConfig | null;
  readonly policy: WasmPolicy;
}
