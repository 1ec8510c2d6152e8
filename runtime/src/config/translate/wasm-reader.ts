// Reads envoy.extensions.wasm.v3.PluginConfig: code, configuration bytes, environment, failure
// policy.
import type { ConfigNode } from "../config-node.ts";
import type { WasmCodeConfig, WasmPluginConfig } from "../snapshot.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const RUNTIMES = [
  "",
  "envoy.wasm.runtime.v8",
  "envoy.wasm.runtime.wamr",
  "envoy.wasm.runtime.wasmtime",
];

const policies: Readonly<Record<string, WasmPluginConfig["failurePolicy"]>> = {
  UNSPECIFIED: "unspecified",
  FAIL_RELOAD: "fail_reload",
  FAIL_CLOSED: "fail_closed",
  FAIL_OPEN: "fail_open",
};

/** A plugin, or null and problems. `fallbackName` is the filter's name. */
export function readWasmPlugin(
  t: Translation,
  node: ConfigNode,
  fallbackName: string,
): WasmPluginConfig | null {
  const vm = node.node("vm_config");
  if (vm === undefined) {
    t.wrong(node, "expected vm_config");
    return null;
  }
  const runtime = vm.string("runtime", "");
  if (!RUNTIMES.includes(runtime)) {
    t.unsupported(vm, `the wasm runtime ${runtime}`, "runtime");
    return null;
  }
  vm.accept("allow_precompiled", "modules are always compiled here");
  const code = readCode(t, vm);
  if (code === null) return null;
  const failOpenLegacy = node.bool("fail_open", false);
  const failurePolicy = policies[node.enum("failure_policy")] ?? "unspecified";
  if (failOpenLegacy && failurePolicy !== "unspecified") {
    t.wrong(node, "both fail_open and failure_policy are set, expected one of them", "fail_open");
  }
  const backoff = node.node("reload_config")?.node("backoff");
  backoff?.accept("max_interval", "the back-off is constant, as Envoy's");
  return {
    name: node.string("name", "") || fallbackName,
    rootId: node.string("root_id", ""),
    vmId: vm.string("vm_id", ""),
    runtime,
    vmConfiguration: readConfiguration(vm),
    pluginConfiguration: readConfiguration(node),
    environment: readEnvironment(t, vm),
    failurePolicy,
    failOpenLegacy,
    reloadBackoffBaseMs: durationOr(backoff, "base_interval", 1000),
    allowedCapabilities: readCapabilities(node),
    allowOnHeadersStopIteration: node.bool("allow_on_headers_stop_iteration", false),
    code,
    where: node.path,
    moduleSha256: "",
  };
}

/**
 * An Any as guests get it in Envoy: the text of a StringValue, the bytes of a BytesValue, else the
 * serialised message (a Struct too: modules that expect JSON text get it from a StringValue).
 */
function readConfiguration(node: ConfigNode): Uint8Array {
  const any = node.any("configuration");
  if (any === undefined) return new Uint8Array(0);
  const content = any.content;
  if (any.typeName === "google.protobuf.StringValue")
    return Buffer.from(String(content ?? ""), "utf8");
  if (any.typeName === "google.protobuf.BytesValue" && content instanceof Uint8Array)
    return content;
  any.acceptRest("handed to the guest as it is");
  return any.serialize();
}

function readCode(t: Translation, vm: ConfigNode): WasmCodeConfig | null {
  const code = vm.node("code");
  const local = code?.node("local");
  if (code === undefined || local === undefined) {
    if (code !== undefined && code.has("remote")) {
      code.node("remote")?.acceptRest("reported as a whole");
      t.unsupported(code, "code.remote", "remote");
    } else t.wrong(vm, "expected code.local", "code");
    return null;
  }
  switch (local.oneof("specifier")) {
    case "filename":
      return { filename: local.string("filename", ""), inlineBytes: null, sha256: "" };
    case "inline_bytes":
      return { filename: "", inlineBytes: local.bytes("inline_bytes") ?? null, sha256: "" };
    case "inline_string": {
      const bytes = Buffer.from(local.string("inline_string", ""), "utf8");
      return { filename: "", inlineBytes: bytes, sha256: "" };
    }
    default:
      t.unsupported(local, `code from ${local.oneof("specifier") ?? "nothing"}`);
      return null;
  }
}

function readEnvironment(t: Translation, vm: ConfigNode): (readonly [string, string])[] {
  const node = vm.node("environment_variables");
  if (node === undefined) return [];
  const values = new Map<string, string>();
  for (const key of node.strings("host_env_keys")) {
    const value = process.env[key];
    if (value !== undefined) values.set(key, value);
  }
  const hostKeys = new Set(node.strings("host_env_keys"));
  for (const [key, value] of node.stringMap("key_values")) {
    if (hostKeys.has(key))
      t.wrong(node, `${key} is in host_env_keys and in key_values`, "key_values");
    values.set(key, value);
  }
  return [...values];
}

/** Names of allowed functions; [] = all. */
function readCapabilities(node: ConfigNode): string[] {
  const allowed = node.node("capability_restriction_config")?.map("allowed_capabilities");
  if (allowed === undefined) return [];
  for (const sanitization of allowed.values()) sanitization.acceptRest("has no fields");
  return [...allowed.keys()];
}
