// A plugin as the reader makes it from a configuration that says nothing but its place.
import type { WasmPluginConfig } from "./snapshot.ts";
import { defaultWasmPolicy } from "./wasm-policy.ts";

export const plainPlugin: WasmPluginConfig = {
  name: "",
  rootId: "",
  vmId: "",
  runtime: "",
  vmConfiguration: new Uint8Array(0),
  pluginConfiguration: new Uint8Array(0),
  environment: [],
  failurePolicy: "unspecified",
  failOpenLegacy: false,
  reloadBackoffBaseMs: 1000,
  reloadBackoffMaxMs: 10_000,
  allowedCapabilities: [],
  allowOnHeadersStopIteration: false,
  code: { filename: "", watchedDirectory: "", inlineBytes: null, sha256: "", remote: null },
  where: "test",
  policy: defaultWasmPolicy,
  moduleKey: "",
};
