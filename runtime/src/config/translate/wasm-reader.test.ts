import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { WasmPluginConfig } from "../snapshot.ts";
import { defaultWasmPolicy } from "../wasm-policy.ts";
import {
  boot,
  type Fields,
  HCM_PATH,
  hcmProblems,
  problems,
  router,
  translate,
  type,
  warnings,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const PLUGIN = `${HCM_PATH}.http_filters[0].typed_config.config`;
const ignoring = { ignoreUnsupported: true };
const folder = mkdtempSync(join(tmpdir(), "wasm-reader-"));
const file = join(folder, "good.wasm");
writeFileSync(file, MODULE);

const inline = { local: { inline_bytes: MODULE.toString("base64") } };
const vm = (fields: Fields = {}): Fields => ({
  vm_config: { runtime: "envoy.wasm.runtime.v8", code: inline, ...fields },
});

async function pluginOf(config: Fields): Promise<WasmPluginConfig> {
  const { snapshot } = await translate(
    boot({ hcm: { http_filters: [wasmFilter("filter", config), router] } }),
  );
  return snapshot.plugins[0] as WasmPluginConfig;
}

const pluginProblems = (config: Fields): Promise<string[]> =>
  hcmProblems({ http_filters: [wasmFilter("filter", config), router] });

test("gives a plugin of which little is said Envoy's defaults", async () => {
  expect(await pluginOf({})).toEqual({
    name: "filter",
    rootId: "",
    vmId: "",
    runtime: "envoy.wasm.runtime.v8",
    vmConfiguration: new Uint8Array(0),
    pluginConfiguration: new Uint8Array(0),
    environment: [],
    failurePolicy: "unspecified",
    failOpenLegacy: false,
    reloadBackoffBaseMs: 1000,
    reloadBackoffMaxMs: 10_000,
    allowedCapabilities: [],
    allowOnHeadersStopIteration: false,
    code: {
      filename: "",
      watchedDirectory: "",
      inlineBytes: new Uint8Array(MODULE),
      sha256: "",
      remote: null,
    },
    where: PLUGIN,
    policy: defaultWasmPolicy,
    moduleKey: "",
  });
});

test("reads every field of a plugin", async () => {
  process.env["HEADGATE_TEST_HOST"] = "host";
  const plugin = await pluginOf({
    name: "n",
    root_id: "r",
    failure_policy: "FAIL_RELOAD",
    reload_config: { backoff: { base_interval: "2s", max_interval: "9s" } },
    capability_restriction_config: { allowed_capabilities: { proxy_log: {}, proxy_on_tick: {} } },
    allow_on_headers_stop_iteration: true,
    ...vm({
      vm_id: "v",
      runtime: "",
      code: { local: { filename: file, watched_directory: { path: folder } } },
      allow_precompiled: true,
      environment_variables: {
        host_env_keys: ["HEADGATE_TEST_HOST", "HEADGATE_TEST_NONE"],
        key_values: { A: "b" },
      },
    }),
  });
  expect(plugin).toMatchObject({
    name: "n",
    rootId: "r",
    vmId: "v",
    runtime: "",
    failurePolicy: "fail_reload",
    reloadBackoffBaseMs: 2000,
    allowedCapabilities: ["proxy_log", "proxy_on_tick"],
    allowOnHeadersStopIteration: true,
    code: { filename: file, watchedDirectory: folder, inlineBytes: null },
    environment: [
      ["HEADGATE_TEST_HOST", "host"],
      ["A", "b"],
    ],
  });
});

test("a capability that no function has is told", async () => {
  const capability_restriction_config = {
    allowed_capabilities: { proxy_lgo: {}, proxy_log: {}, proxy_on_tick: {}, fd_write: {}, x: {} },
  };
  const filters = [wasmFilter("filter", { capability_restriction_config, ...vm() }), router];
  const at = `${PLUGIN}.capability_restriction_config.allowed_capabilities`;
  const expected = "expected a hostcall, a callback or a function of WASI";
  expect(await warnings(boot({ hcm: { http_filters: filters } }))).toEqual([
    `${at}["proxy_lgo"]: unknown function "proxy_lgo" allows nothing, ${expected} (did you mean "proxy_log"?)`,
    `${at}["x"]: unknown function "x" allows nothing, ${expected}`,
  ]);
});

const restriction = (...names: readonly string[]): Fields => ({
  capability_restriction_config: {
    allowed_capabilities: Object.fromEntries(names.map((name) => [name, {}])),
  },
});

test("the VM's restriction hides the plugin's, as in Envoy", async () => {
  expect(await pluginOf(vm(restriction("fd_write")))).toMatchObject({
    allowedCapabilities: ["fd_write"],
  });
  const both = { ...restriction("proxy_log"), ...vm(restriction("fd_write")) };
  expect(await pluginOf(both)).toMatchObject({ allowedCapabilities: ["fd_write"] });
  expect(await pluginOf({ ...both, ...vm(restriction()) })).toMatchObject({
    allowedCapabilities: [],
  });
  const found = await warnings(boot({ hcm: { http_filters: [wasmFilter("f", both), router] } }));
  expect(found).toEqual([
    `${PLUGIN}.capability_restriction_config: has no effect beside vm_config.capability_restriction_config`,
  ]);
});

test("with the switch a Struct reaches the guest as JSON text", async () => {
  const value = { a: "é", n: 2, l: [true, null], o: {} };
  const configuration = { ...type("google.protobuf.Struct"), value };
  const filter = wasmFilter("filter", { configuration, ...vm({ configuration }) });
  const config = boot({ hcm: { http_filters: [filter, router] } });
  const { snapshot } = await translate(config, { wasmStructAsJson: true });
  const plugin = snapshot.plugins[0] as WasmPluginConfig;
  for (const bytes of [plugin.pluginConfiguration, plugin.vmConfiguration]) {
    expect(JSON.parse(Buffer.from(bytes).toString("utf8"))).toEqual(value);
  }
});

test.each<[Fields, Fields]>([
  [{ fail_open: true }, { failOpenLegacy: true, failurePolicy: "unspecified" }],
  [{ failure_policy: "FAIL_OPEN" }, { failOpenLegacy: false, failurePolicy: "fail_open" }],
  [{ failure_policy: "FAIL_CLOSED" }, { failurePolicy: "fail_closed" }],
])("reads the failure policy of %j", async (fields, expected) => {
  expect(await pluginOf(fields)).toMatchObject(expected);
});

describe("configurations reach the guest as in Envoy", () => {
  const wrapped = (name: string, value: unknown): Fields => ({
    ...type(`google.protobuf.${name}`),
    value,
  });
  test.each<[string, Fields, string]>([
    ["the text of a StringValue", wrapped("StringValue", "é{}"), "c3a97b7d"],
    ["an empty StringValue", type("google.protobuf.StringValue"), ""],
    ["the bytes of a BytesValue", wrapped("BytesValue", "AP8="), "00ff"],
    ["an empty BytesValue", type("google.protobuf.BytesValue"), ""],
    // fields { "a": "b" }
    ["a Struct, serialised", wrapped("Struct", { a: "b" }), "0a080a016112031a0162"],
    // start 1, end 5
    [
      "any other message, serialised",
      { ...type("envoy.type.v3.Int64Range"), start: 1, end: 5 },
      "08011005",
    ],
    ["an empty Any", {}, ""],
  ])("%s", async (_, configuration, expected) => {
    const plugin = await pluginOf({ configuration, ...vm({ configuration }) });
    expect(Buffer.from(plugin.pluginConfiguration).toString("hex")).toBe(expected);
    expect(Buffer.from(plugin.vmConfiguration).toString("hex")).toBe(expected);
  });
});

describe("code", () => {
  const text = join(folder, "text.wasm");
  writeFileSync(text, "(module)");
  const short = join(folder, "short.wasm");
  writeFileSync(short, MODULE.subarray(0, 3));
  const sub = join(folder, "sub.wasm");
  mkdirSync(sub);
  const none = join(folder, "none.wasm");
  const local = (fields: Fields): Fields => vm({ code: { local: fields } });
  const at = `${PLUGIN}.vm_config.code`;
  const http_uri = { uri: "http://a/b.wasm", cluster: "up", timeout: "3s" };
  const backoffOf = (base_interval: string, max_interval: string): Fields => ({
    retry_back_off: { base_interval, max_interval },
  });

  test("may be fetched", async () => {
    const retry_policy = { num_retries: 4, ...backoffOf("2s", "5s") };
    const code = { remote: { http_uri, sha256: "AB", retry_policy } };
    expect((await pluginOf(vm({ code }))).code).toMatchObject({
      sha256: "ab",
      remote: {
        uri: "http://a/b.wasm",
        cluster: "up",
        timeoutMs: 3000,
        retries: 4,
        retryBaseMs: 2000,
        retryMaxMs: 5000,
      },
    });
    const short = { remote: { http_uri, sha256: "ab" } };
    expect((await pluginOf(vm({ code: short }))).code.remote).toMatchObject({
      retries: 1,
      retryBaseMs: 1000,
      retryMaxMs: 10_000,
      isRequired: false,
    });
    const required = vm({ code: short, nack_on_code_cache_miss: true });
    expect((await pluginOf(required)).code.remote?.isRequired).toBe(true);
  });

  test.each<[string, string | null]>([
    ["0aF".repeat(21) + "0", null],
    ["abc", '"abc" (3 characters)'],
    ["g".repeat(64), `"${"g".repeat(64)}" (64 characters)`],
    ["a".repeat(100), `"${"a".repeat(80)}..." (100 characters)`],
  ])("whose digest is %s", async (sha256, found) => {
    const code = { remote: { http_uri, sha256 } };
    const config = { http_filters: [wasmFilter("filter", vm({ code })), router] };
    const expected = "expected 64 hex digits: no module will match";
    const warning = `${at}.remote.sha256: found ${found}, ${expected}`;
    expect(await warnings(boot({ hcm: config }))).toEqual(found === null ? [] : [warning]);
  });

  test("may be text, which some module's first bytes are not", async () => {
    const plugin = await pluginOf(local({ inline_string: "no module" }));
    expect(Buffer.from(plugin.code.inlineBytes ?? []).toString()).toBe("no module");
  });

  test.each<[string, Fields, string]>([
    [
      "a missing file",
      local({ filename: none }),
      `${at}.local.filename: ${none}: cannot be read: no such file`,
    ],
    ["a folder", local({ filename: sub }), `${at}.local.filename: ${sub}: is no file`],
    ["text", local({ filename: text }), `${at}.local.filename: ${text}: is no WebAssembly module`],
    [
      "three bytes",
      local({ filename: short }),
      `${at}.local.filename: ${short}: is no WebAssembly module`,
    ],
    [
      "an environment variable",
      local({ environment_variable: "HOME" }),
      `${at}.local.environment_variable: code from an environment variable is not implemented by Headgate`,
    ],
    [
      "a server that is asked again sooner and sooner",
      vm({ code: { remote: { http_uri, sha256: "ab", retry_policy: backoffOf("5s", "1s") } } }),
      `${at}.remote.retry_policy.retry_back_off.max_interval: found 1000 ms, expected at least base_interval`,
    ],
    [
      "nowhere",
      vm({ code: {} }),
      `${at}.specifier: not set: one of local, remote (field: "specifier", reason: is required)`,
    ],
    ["nothing", vm({ code: undefined }), `${at}: not set: value is required`],
  ])("is refused from %s", async (_, config, expected) => {
    expect(await pluginProblems(config)).toEqual([expected]);
  });
});

test.each<[Fields, string]>([
  [{ vm_config: undefined }, ".vm_config: not set: value is required"],
  [
    vm({ runtime: "envoy.wasm.runtime.null" }),
    ".vm_config.runtime: the wasm runtime envoy.wasm.runtime.null is not implemented by Headgate",
  ],
  [
    vm({ runtime: "envoy.wasm.runtime.v9" }),
    '.vm_config.runtime: found the wasm runtime "envoy.wasm.runtime.v9", expected envoy.wasm.runtime.v8 (did you mean "envoy.wasm.runtime.v8"?)',
  ],
  [
    { ...vm(), failure_policy: 9 },
    ".failure_policy: found 9, expected one of UNSPECIFIED, FAIL_RELOAD, FAIL_CLOSED, FAIL_OPEN",
  ],
  [
    { fail_open: true, failure_policy: "FAIL_OPEN" },
    ".fail_open: both fail_open and failure_policy are set, expected one of them",
  ],
  [
    vm({ environment_variables: { host_env_keys: ["A"], key_values: { A: "b" } } }),
    ".vm_config.environment_variables.key_values: A is in host_env_keys and in key_values",
  ],
  [
    vm({ environment_variables: { host_env_keys: ["A", "B", "A", "A"] } }),
    ".vm_config.environment_variables.host_env_keys: A is there 3 times, expected once",
  ],
])("refuses %j", async (config, expected) => {
  expect(await pluginProblems(config)).toEqual([`${PLUGIN}${expected}`]);
});

test.each<[string, Fields]>([
  ["its code is elsewhere", vm({ code: { local: { environment_variable: "HOME" } } })],
  ["its runtime is another", vm({ runtime: "envoy.wasm.runtime.null" })],
])("never leaves a plugin out because %s", async (_, config) => {
  const filters = [wasmFilter("filter", config), router];
  const found = await problems(boot({ hcm: { http_filters: filters } }), ignoring);
  expect(found.join("\n")).toContain("--ignore-unsupported does not cover it");
});
