// From the command line's configuration to a translated bootstrap, with all problems at once. The
// configuration rooms (yaml, protobuf) are imported here, in the main thread, when they are needed.
import type { LoadedBootstrap } from "../config/bootstrap-loader.ts";
import type { TranslatedBootstrap } from "../config/translate/translate-bootstrap.ts";
import type { PositionIndex } from "../config/position-index.ts";
import type { Schema } from "../config/schema.ts";
import { defaultWasmPolicies, withTrace } from "../config/wasm-policy.ts";
import type { WasmPolicies } from "../config/wasm-policy.ts";
import type { ServerOptions } from "./options.ts";

export interface LoadedConfig extends TranslatedBootstrap {
  readonly loaded: LoadedBootstrap;
  /** Of --wasm-policy and --wasm-trace. */
  readonly wasmPolicies: WasmPolicies;
}

/** Throws ConfigErrors. `schema`: of an earlier loading, which spares reading it again. */
export async function loadConfig(
  options: ServerOptions,
  version: number,
  schema?: Schema,
): Promise<LoadedConfig> {
  const { loadBootstrap } = await import("../config/bootstrap-loader.ts");
  const { translateBootstrap } = await import("../config/translate/translate-bootstrap.ts");
  const loaded = await loadBootstrap({
    path: options.configPath,
    yaml: options.configYaml,
    allowUnknownStaticFields: options.allowUnknownStaticFields,
    // The translator adds what it finds, so that one run names all mistakes.
    keepGoing: true,
    schema,
  });
  const translated = translateBootstrap(loaded, {
    version,
    serviceNode: options.serviceNode,
    serviceCluster: options.serviceCluster,
    serviceZone: options.serviceZone,
    fileFlushIntervalMs: options.fileFlushIntervalMs,
    drainTimeMs: options.drainTimeMs,
    drainStrategy: options.drainStrategy,
    ignoreUnsupported: options.ignoreUnsupported,
    wasmStructAsJson: options.wasmStructAsJson,
  });
  return { ...translated, loaded, wasmPolicies: await loadWasmPolicies(options) };
}

async function loadWasmPolicies(options: ServerOptions): Promise<WasmPolicies> {
  const { wasmPolicyPath, wasmTrace, wasmTraceRule } = options;
  const policies =
    wasmPolicyPath === ""
      ? defaultWasmPolicies
      : (await import("../config/wasm-policy-reader.ts")).readWasmPolicies(wasmPolicyPath);
  return wasmTrace === "" ? policies : withTrace(policies, wasmTrace, wasmTraceRule);
}

/** `file:line:col: path: message` for what a later stage found at a path (a module, an address). */
export function problemAt(config: LoadedConfig, path: string, message: string): string {
  const place = placeOf(config.loaded.positions, path);
  return place === "" ? `${path}: ${message}` : `${place}: ${path}: ${message}`;
}

/** `file:line:col` of a path below the message of `positions`; "" when nothing is known. */
export function placeOf(positions: PositionIndex, path: string): string {
  return positions.locate(pathSegments(path));
}

/** "a.b[0].c["x"]" as ["a", "b", 0, "c", "x"]. */
function pathSegments(path: string): (string | number)[] {
  const segments: (string | number)[] = [];
  for (const match of path.matchAll(/\.?([a-zA-Z_]\w*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]/g)) {
    if (match[2] !== undefined) segments.push(Number(match[2]));
    else segments.push(match[1] ?? (JSON.parse(`"${match[3] ?? ""}"`) as string));
  }
  return segments;
}
