// Wasm filters behind the router in a real process: what becomes of them when their module or their
// cluster's configuration is another one, and when their guests fail.
import { renameSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const TYPE = "type.googleapis.com/envoy.extensions";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const CODEC = {
  name: "codec",
  typed_config: { "@type": `${TYPE}.filters.http.upstream_codec.v3.UpstreamCodec` },
};

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 1 });
let versioned: Uint8Array;
let script: Uint8Array;

beforeAll(async () => {
  versioned = await compileGuest("versioned");
  script = await compileGuest("script");
});

/** The module that calls itself "module-<letter>", moved into its place. */
function putModule(letter: string): string {
  const bytes = Buffer.from(versioned);
  bytes.write(letter, bytes.indexOf("module-A") + "module-".length);
  const path = processes.scratch.path("guest.wasm");
  writeFileSync(`${path}.next`, bytes);
  renameSync(`${path}.next`, path);
  return path;
}

/** The scripted guest; `more` is laid over its plugin. */
function scripted(lines: readonly string[], more: object = {}): object {
  const module = processes.scratch.path("script.wasm");
  writeFileSync(module, script);
  const filter = wasmFilter(module, "guest", lines.join("\n")) as {
    name: string;
    typed_config: { config: object };
  };
  const config = { ...filter.typed_config.config, ...more };
  return { ...filter, typed_config: { ...filter.typed_config, config } };
}

/** The cluster has these filters; `more` come before the router. */
function filtered(filters: readonly object[], more: readonly object[] = []): object {
  const config = bootstrap({ upstreamPort: upstream.port, filters: more }) as {
    static_resources: { clusters: Record<string, unknown>[] };
  };
  for (const cluster of config.static_resources.clusters) {
    cluster["typed_extension_protocol_options"] = {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: { http_protocol_options: {} },
        http_filters: [...filters, CODEC],
      },
    };
  }
  return config;
}

async function reload(headgate: HeadgateProcess, config: object): Promise<void> {
  const before = await headgate.stat("server.reload_success");
  renameSync(processes.scratch.write("next.yaml", config), processes.scratch.path("envoy.yaml"));
  headgate.kill("SIGHUP");
  await headgate.waitFor(
    async () => (await headgate.stat("server.reload_success")) > before,
    "the reload",
  );
}

async function get(target: string, path = "/"): Promise<Response> {
  const answer = await fetch(`http://${target}${path}`);
  await answer.text();
  return answer;
}

async function moduleSeen(target: string, path = "/"): Promise<string | null> {
  return (await get(target, path)).headers.get("x-module");
}

test("another module takes over with the next stream; the cluster and its pool stay", async () => {
  const headgate = await processes.start(filtered([wasmFilter(putModule("A"))]), {
    flags: ["--watch-modules"],
  });
  const target = await headgate.listener();
  expect(await moduleSeen(target)).toBe("module-A");
  const old = moduleSeen(target, "/hold");
  await headgate.waitFor(() => upstream.held.length === 1, "the request");
  putModule("B");
  await headgate.waitFor(
    async () => (await headgate.stat("wasm.module_update_success")) === 1,
    "the change",
  );
  expect(headgate.output).not.toContain("deleted module-A");
  upstream.held[0]?.end("late");
  expect(await old).toBe("module-A");
  await headgate.says("deleted module-A");
  expect(await moduleSeen(target)).toBe("module-B");
  expect(await headgate.stat("cluster.up.upstream_cx_total")).toBe(1);
  expect(await headgate.stat("cluster_manager.cluster_modified")).toBe(0);
});

test("another configuration of a filter makes another cluster, other plugins make none", async () => {
  const first = scripted(["response_headers add_header_map_value 2 x-seen first"]);
  const headgate = await processes.start(filtered([first]));
  const target = await headgate.listener();
  const seen = async (): Promise<string | null> => (await get(target)).headers.get("x-seen");
  expect(await seen()).toBe("first");
  // The names of a cluster's stats go to the main thread a turn after its first request.
  await expect.poll(() => headgate.stat("cluster.up.upstream_cx_total")).toBe(1);
  // The filter's plugin has another index now.
  await reload(headgate, filtered([first], [scripted([])]));
  expect(await seen()).toBe("first");
  expect(await headgate.stat("cluster.up.upstream_cx_total")).toBe(1);
  expect(await headgate.stat("cluster_manager.cluster_modified")).toBe(0);
  const second = scripted(["response_headers add_header_map_value 2 x-seen second"]);
  await reload(headgate, filtered([second]));
  expect(await seen()).toBe("second");
  expect(await headgate.stat("cluster_manager.cluster_modified")).toBe(1);
  await reload(headgate, bootstrap({ upstreamPort: upstream.port }));
  expect(await seen()).toBe(null);
  await headgate.waitFor(
    async () => (await headgate.stat("wasm.envoy.wasm.runtime.v8.active")) === 0,
    "the end of all VMs",
  );
});

test.each([
  ["FAIL_CLOSED", [503, 503]],
  ["FAIL_OPEN", [503, 200]],
] as const)("a guest that traps: %s", async (failure_policy, expected) => {
  const headgate = await processes.start(
    filtered([scripted(["request_headers trap"], { failure_policy })]),
  );
  const target = await headgate.listener();
  for (const status of expected) expect((await get(target)).status).toBe(status);
});

test("a guest may do what its capabilities say, behind the router too", async () => {
  const lines = [
    "request_headers add_header_map_value 0 x-up 1",
    "response_headers add_header_map_value 2 x-down 1",
  ];
  const allowed = ["proxy_log", "proxy_on_vm_start", "proxy_get_buffer_bytes"];
  allowed.push("proxy_on_request_headers");
  const allowed_capabilities = Object.fromEntries(allowed.map((name) => [name, {}]));
  const headgate = await processes.start(
    filtered([scripted(lines, { capability_restriction_config: { allowed_capabilities } })]),
  );
  const { headers, status } = await get(await headgate.listener());
  expect(status).toBe(200);
  expect(headers.get("x-down")).toBe(null);
  await headgate.says("add_header_map_value 0 x-up 1 -> 10");
});

test("a guest's call passes its cluster's filter, even one on the guest's own VM", async () => {
  const call = "http_call up :method=GET,:path=/call,:authority=call.local  ~ 1000";
  const plugin = (): object =>
    scripted(
      [
        // The first is the client's request, the second the call, the third the request again.
        `request_headers#1 ${call}`,
        "request_headers#1 return 1",
        "request_headers#2 replace_header_map_value 0 :path /seen",
        "http_call_response set_effective_context 3",
        "http_call_response continue_stream 0",
      ],
      { root_id: "same" },
    );
  const shared = (filter: object): object => {
    const text = JSON.stringify(filter).replace('"vm_config":{', '"vm_config":{"vm_id":"one",');
    return JSON.parse(text) as object;
  };
  const headgate = await processes.start(filtered([shared(plugin())], [shared(plugin())]));
  expect((await get(await headgate.listener())).status).toBe(200);
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.active")).toBe(1);
  await headgate.says("http_call_response(");
});

test("a module that is not there is named where the cluster names it", async () => {
  const headgate = await processes.run(
    "--mode",
    "validate",
    "-c",
    processes.scratch.write("bad.yaml", filtered([wasmFilter("/nowhere/guest.wasm")])),
  );
  expect(headgate.output).toMatch(
    /static_resources\.clusters\[0\]\.typed_extension_protocol_options.*http_filters\[0\]/,
  );
});
