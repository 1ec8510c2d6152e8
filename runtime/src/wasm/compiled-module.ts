// What the host needs of a loaded module: made by module/ in the main thread, sent to the workers.
import type { AbiVersion } from "proxy-wasm-types";
import type { CodeMap } from "./code-map.ts";

/** A structural subset of module/'s LoadedModule: everything but the bytes and the reports. */
export interface CompiledModule {
  /** Of the bytes as they came, lower-case hex. */
  readonly sha256: string;
  /** What is loaded under one key is the same. */
  readonly key: string;
  readonly module: WebAssembly.Module;
  readonly abiVersion: AbiVersion;
  /** Callbacks that need no call: they always give this answer and do nothing. */
  readonly trivialCallbacks: ReadonlyMap<string, number>;
  /** Private export that runs what was the start section; null = there was none. */
  readonly startExport: string | null;
  /** Private export `swap(fuel)` that tells what was left; null = the guest is not metered. */
  readonly fuelExport: string | null;
  /** Private export `refill(fuel)`, the same for fuel of less than 2^31. */
  readonly refillExport: string | null;
  /** Private export, a global with what the guest calls when its fuel is used up. */
  readonly supplyExport: string | null;
  /** From addresses of this code to those of the module as it came. */
  readonly codeMap: CodeMap;
  /** The export that is the guest's memory. */
  readonly memoryExport: string;
  /** A memory that the host must pass in; null = the module keeps its own, of an unusual kind. */
  readonly memoryImport: {
    readonly module: string;
    readonly name: string;
    readonly minimumPages: number;
    readonly maximumPages: number | null;
  } | null;
  /** Functions that it asks for. */
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  /** Functions the host must stub; empty unless imports are lenient. */
  readonly stubbedImports: readonly {
    readonly module: string;
    readonly name: string;
    readonly hasResult: boolean;
  }[];
}
