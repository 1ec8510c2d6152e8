// Reads envoy.extensions.wasm.v3.PluginConfig: code, configuration bytes, environment, failure
// policy.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { callbacks, hostcalls, wasiFunctions } from "proxy-wasm-types";
import type { ConfigNode } from "../config-node.ts";
import { didYouMean } from "../did-you-mean.ts";
import type { WasmCodeConfig, WasmPluginConfig } from "../snapshot.ts";
import { readBackOff } from "./backoff-reader.ts";
import { readWatchedDirectory } from "./config-source-reader.ts";
import { defaultWasmPolicy } from "../wasm-policy.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const V8 = "envoy.wasm.runtime.v8";
const RUNTIMES = ["", V8, "envoy.wasm.runtime.wamr", "envoy.wasm.runtime.wasmtime"];
/** Of Envoy's own plugins, which are no modules. */
const NATIVE_RUNTIME = "envoy.wasm.runtime.null";
const LEFT_OUT = "requests would pass without the plugin";
/** What every module begins with: "\0asm". */
const MAGIC = "0061736d";

const BACKOFF_BASE_MS = 1000;

const SHA256 = /^[0-9a-f]{64}$/;
/** Of a mistyped digest. */
const SHOWN_MAX = 80;

/** What can be restricted. */
const CAPABILITIES: ReadonlySet<string> = new Set(
  [hostcalls, callbacks, wasiFunctions].flatMap((table) => table.map(({ name }) => name)),
);

const policies: Readonly<Record<string, WasmPluginConfig["failurePolicy"]>> = {
  UNSPECIFIED: "unspecified",
  FAIL_RELOAD: "fail_reload",
  FAIL_CLOSED: "fail_closed",
  FAIL_OPEN: "fail_open",
};
const POLICY_NAMES = Object.keys(policies).join(", ");

/** A plugin, or null and problems. `fallbackName` is the filter's name. */
export function readWasmPlugin(
  t: Translation,
  node: ConfigNode,
  fallbackName: string,
): WasmPluginConfig | null {
  const vm = node.node("vm_config");
  if (vm === undefined) {
    t.missing(node, "vm_config");
    node.acceptRest("without vm_config nothing runs");
    return null;
  }
  const runtime = vm.string("runtime", "");
  if (runtime === NATIVE_RUNTIME) {
    t.guarded(vm, `the wasm runtime ${runtime}`, LEFT_OUT, "runtime");
  } else if (!RUNTIMES.includes(runtime)) {
    const found = `found the wasm runtime ${JSON.stringify(runtime)}`;
    t.wrong(vm, `${found}, expected ${V8}${didYouMean(runtime, RUNTIMES)}`, "runtime");
  }
  vm.accept("allow_precompiled", "modules are always compiled here");
  const isRequired = vm.bool("nack_on_code_cache_miss", false);
  const code = readCode(t, vm, isRequired);
  const plugin = {
    name: node.string("name", "") || fallbackName,
    rootId: node.string("root_id", ""),
    vmId: vm.string("vm_id", ""),
    runtime,
    vmConfiguration: readConfiguration(t, vm),
    pluginConfiguration: readConfiguration(t, node),
    environment: readEnvironment(t, vm),
    ...readFailure(t, node),
    allowedCapabilities: readCapabilities(t, node, vm),
    allowOnHeadersStopIteration: node.bool("allow_on_headers_stop_iteration", false),
    where: node.path,
    policy: defaultWasmPolicy,
    moduleKey: "",
  };
  return code === null ? null : { ...plugin, code };
}

type Failure = Pick<
  WasmPluginConfig,
  "failurePolicy" | "failOpenLegacy" | "reloadBackoffBaseMs" | "reloadBackoffMaxMs"
>;

function readFailure(t: Translation, node: ConfigNode): Failure {
  const failOpenLegacy = node.bool("fail_open", false);
  const wanted = node.enum("failure_policy");
  const failurePolicy = policies[wanted] ?? "unspecified";
  if (policies[wanted] === undefined) {
    t.wrong(node, `found ${wanted}, expected one of ${POLICY_NAMES}`, "failure_policy");
  }
  if (failOpenLegacy && failurePolicy !== "unspecified") {
    t.wrong(node, "both fail_open and failure_policy are set, expected one of them", "fail_open");
  }
  const backoff = node.node("reload_config")?.node("backoff");
  const reloadBackoffBaseMs = durationOr(backoff, "base_interval", BACKOFF_BASE_MS);
  const reloadBackoffMaxMs = durationOr(backoff, "max_interval", reloadBackoffBaseMs * 10);
  return { failurePolicy, failOpenLegacy, reloadBackoffBaseMs, reloadBackoffMaxMs };
}

/**
 * An Any as guests get it in Envoy: the text of a StringValue, the bytes of a BytesValue, else the
 * serialised message. A Struct too, unless --wasm-struct-as-json asks for the JSON text that
 * modules of older hosts expect.
 */
export function readConfiguration(t: Translation, node: ConfigNode): Uint8Array {
  return configurationBytes(node, t.wasmStructAsJson);
}

/** Of a PluginConfig. */
export function configurationBytes(node: ConfigNode, isStructJson: boolean): Uint8Array {
  const any = node.any("configuration");
  if (any === undefined) return new Uint8Array(0);
  const content = any.content;
  if (any.typeName === "google.protobuf.StringValue") {
    return Buffer.from(typeof content === "string" ? content : "", "utf8");
  }
  if (any.typeName === "google.protobuf.BytesValue" && content instanceof Uint8Array) {
    return content;
  }
  if (any.typeName === "google.protobuf.Struct" && isStructJson) {
    return Buffer.from(JSON.stringify(content ?? {}));
  }
  any.acceptRest("handed to the guest as it is");
  return any.serialize();
}

function readCode(t: Translation, vm: ConfigNode, isRequired: boolean): WasmCodeConfig | null {
  const code = vm.node("code");
  const local = code?.node("local");
  if (local !== undefined) return readLocalCode(t, local);
  const remote = code?.node("remote");
  if (remote !== undefined) return readRemoteCode(t, remote, isRequired);
  if (code === undefined) t.missing(vm, "code");
  return null;
}

function readRemoteCode(t: Translation, remote: ConfigNode, isRequired: boolean): WasmCodeConfig {
  const sha256 = remote.string("sha256", "").toLowerCase();
  if (sha256 !== "" && !SHA256.test(sha256)) {
    const expected = "expected 64 hex digits: no module will match";
    t.warn(remote, `found ${foundDigest(sha256)}, ${expected}`, "sha256");
  }
  const uri = remote.node("http_uri");
  const retry = remote.node("retry_policy");
  const { baseMs, maxMs } = readBackOff(t, retry?.node("retry_back_off"), BACKOFF_BASE_MS);
  return {
    filename: "",
    watchedDirectory: "",
    inlineBytes: null,
    sha256,
    remote: {
      uri: uri?.string("uri", "") ?? "",
      cluster: uri?.string("cluster", "") ?? "",
      timeoutMs: durationOr(uri, "timeout", 0),
      retries: retry?.uint("num_retries") ?? 1,
      retryBaseMs: baseMs,
      retryMaxMs: maxMs,
      isRequired,
    },
  };
}

/** With its length, for one digit that is missing is not seen. */
function foundDigest(text: string): string {
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  return `${JSON.stringify(shown)} (${text.length} characters)`;
}

function readLocalCode(t: Translation, local: ConfigNode): WasmCodeConfig | null {
  switch (local.oneof("specifier")) {
    case "filename": {
      const filename = local.string("filename", "");
      const problem = filename === "" ? "" : whyNoModule(filename);
      if (problem !== "") t.wrong(local, `${filename}: ${problem}`, "filename");
      const watchedDirectory = readWatchedDirectory(t, local);
      return { filename, watchedDirectory, inlineBytes: null, sha256: "", remote: null };
    }
    case "inline_bytes":
      return inlineCode(local.bytes("inline_bytes") ?? null);
    case "inline_string": {
      return inlineCode(Buffer.from(local.string("inline_string", ""), "utf8"));
    }
    case "environment_variable":
      local.accept("environment_variable", "reported as a whole");
      t.guarded(local, "code from an environment variable", LEFT_OUT, "environment_variable");
      return null;
    default:
      return null;
  }
}

function inlineCode(inlineBytes: Uint8Array | null): WasmCodeConfig {
  return { filename: "", watchedDirectory: "", inlineBytes, sha256: "", remote: null };
}

/** "" when the file can be a module. What is in it is checked when it is loaded. */
function whyNoModule(path: string): string {
  let file = -1;
  try {
    if (!statSync(path).isFile()) return "is no file";
    file = openSync(path, "r");
    const head = Buffer.alloc(MAGIC.length / 2);
    readSync(file, head);
    return head.toString("hex") === MAGIC ? "" : "is no WebAssembly module";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return `cannot be read: ${code === "ENOENT" ? "no such file" : (error as Error).message}`;
  } finally {
    if (file >= 0) closeSync(file);
  }
}

/** KEY=value pairs; keys of the host that it does not have are left out. */
function readEnvironment(t: Translation, vm: ConfigNode): (readonly [string, string])[] {
  const node = vm.node("environment_variables");
  if (node === undefined) return [];
  const keys = node.strings("host_env_keys");
  const hostKeys = new Set(keys);
  const values = new Map<string, string>();
  for (const key of hostKeys) {
    const times = keys.filter((other) => other === key).length;
    if (times > 1) t.wrong(node, `${key} is there ${times} times, expected once`, "host_env_keys");
    const value = process.env[key];
    if (value !== undefined) values.set(key, value);
  }
  for (const [key, value] of node.stringMap("key_values")) {
    if (hostKeys.has(key)) {
      t.wrong(node, `${key} is in host_env_keys and in key_values`, "key_values");
    }
    values.set(key, value);
  }
  return [...values];
}

/** Names of allowed functions; [] = all. A message of the VM hides that of the plugin. */
function readCapabilities(t: Translation, node: ConfigNode, vm: ConfigNode): string[] {
  const field = "capability_restriction_config";
  const [plugins, vms] = [node.node(field), vm.node(field)];
  if (plugins !== undefined && vms !== undefined) {
    t.warn(node, "has no effect beside vm_config.capability_restriction_config", field);
    plugins.acceptRest("the VM's is used");
  }
  return capabilityNames(t, vms ?? plugins);
}

/** Envoy takes any name: one that no function has allows nothing. */
function capabilityNames(t: Translation, restriction: ConfigNode | undefined): string[] {
  const allowed = restriction?.map("allowed_capabilities");
  if (allowed === undefined) return [];
  for (const [name, sanitization] of allowed) {
    sanitization.acceptRest("has no fields");
    if (CAPABILITIES.has(name)) continue;
    const found = `unknown function ${JSON.stringify(name)} allows nothing`;
    const expected = "expected a hostcall, a callback or a function of WASI";
    t.warn(sanitization, `${found}, ${expected}${didYouMean(name, CAPABILITIES)}`);
  }
  return [...allowed.keys()];
}
