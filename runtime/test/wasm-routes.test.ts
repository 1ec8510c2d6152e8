// Wasm filters that routes configure, in a real process: typed_per_filter_config with the filter's own
// message gives a root context of its own, on the filter's VM.
import { renameSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { get } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 1 });
const upstream = useUpstream("hello");
const TYPE = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

function routed(value: string, more: object = {}): object {
  const configuration = { "@type": "type.googleapis.com/google.protobuf.StringValue", value };
  return { guest: { "@type": TYPE, config: { configuration, ...more } } };
}

function config(script: readonly string[], perFilter: Readonly<Record<string, object>>): object {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const routes = Object.entries(perFilter).map(([prefix, typed_per_filter_config]) => ({
    match: { prefix },
    route: { cluster: "up" },
    typed_per_filter_config,
  }));
  const virtual_hosts = [{ name: "all", domains: ["*"], routes }];
  return bootstrap({
    upstreamPort: upstream.port,
    filters: [wasmFilter(module, "guest", script.join("\n"))],
    hcm: { route_config: { virtual_hosts } },
  });
}

test("each distinct configuration has one root context, all on one VM", async () => {
  const headgate = await processes.start(
    config(["configure get_buffer_bytes 7 0 100"], {
      "/one": routed("first"),
      "/two": routed("second"),
      "/same": routed("first"),
      "/off": {
        guest: {
          "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
          disabled: true,
        },
      },
      "/": {},
    }),
  );
  expect(headgate.output.match(/get_buffer_bytes 7 0 100 -> 0 \[\w+\]/g)).toEqual(
    ["0", "first", "second"].map((told) => `get_buffer_bytes 7 0 100 -> 0 [${told}]`),
  );
  const target = await headgate.listener();
  for (const path of ["/", "/one", "/two", "/same", "/off"]) {
    expect((await get(target, path)).status).toBe(200);
  }
  await headgate.says("delete(7)");
  // Stream contexts with their root contexts: ids go on, so it is one VM.
  const created = [...headgate.output.matchAll(/ create\((\d+,\d+)\)/g)].map((match) => match[1]);
  expect(created).toEqual(["4,1", "5,2", "6,3", "7,2"]);
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.created")).toBe(1);
});

test("a trap in one route's context is the failure of the VM, and all are started again", async () => {
  const headgate = await processes.start(
    config(["request_headers#2 trap"], { "/one": routed("first"), "/": {} }),
  );
  const target = await headgate.listener();
  expect((await get(target, "/one")).status).toBe(200);
  expect((await get(target, "/one")).status).toBe(503);
  // The next VM comes at once.
  await expect.poll(async () => (await get(target, "/")).status, { timeout: 60_000 }).toBe(200);
  expect(headgate.output.match(/ configure\(/g)?.length).toBe(4);
  expect(await headgate.stat("wasm.guest.vm_reload_success")).toBe(1);
});

test("a reload changes the configuration of one route only", async () => {
  const script = ["configure get_buffer_bytes 7 0 100"];
  const headgate = await processes.start(config(script, { "/one": routed("first"), "/": {} }));
  processes.scratch.write("envoy.yaml", config(script, { "/one": routed("third"), "/": {} }));
  headgate.kill("SIGHUP");
  await headgate.says("-> 0 [third]");
  await expect
    .poll(async () => {
      await get(await headgate.listener(), "/one");
      return / create\(\d+,3\)/.test(headgate.output);
    })
    .toBe(true);
});

test("a table of RDS switches filters, and is refused with a filter's own message", async () => {
  const put = (version: string, perFilter: Readonly<Record<string, object>>): void => {
    const table = {
      "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
      name: "table",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: Object.entries(perFilter).map(([prefix, typed_per_filter_config]) => ({
            match: { prefix },
            route: { cluster: "up" },
            typed_per_filter_config,
          })),
        },
      ],
    };
    const next = processes.scratch.write("next", { version_info: version, resources: [table] });
    renameSync(next, processes.scratch.path("rds.yaml"));
  };
  const switched = (disabled: boolean): object => ({
    guest: {
      "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
      disabled,
      ...(disabled ? {} : { config: {} }),
    },
  });
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const path_config_source = { path: processes.scratch.path("rds.yaml") };
  const rds = {
    route_config_name: "table",
    config_source: { resource_api_version: "V3", path_config_source },
  };
  put("1", { "/": switched(true) });
  const script = "response_headers add_header_map_value 2 x-seen 1";
  const headgate = await processes.start({
    node: { id: "node", cluster: "cluster" },
    ...bootstrap({
      upstreamPort: upstream.port,
      filters: [wasmFilter(module, "guest", script)],
      hcm: { route_config: undefined, rds },
    }),
  });
  const seen = async (): Promise<string | null> =>
    (await fetch(`http://${await headgate.listener()}/`)).headers.get("x-seen");
  const counted = async (what: string, change: () => void): Promise<void> => {
    const name = `http.main.rds.table.update_${what}`;
    const before = await headgate.stat(name);
    change();
    await headgate.waitFor(async () => (await headgate.stat(name)) > before, what);
  };
  expect(await seen()).toBe(null);
  await counted("success", () => put("2", { "/": switched(false) }));
  expect(await seen()).toBe("1");
  await counted("rejected", () => put("3", { "/": routed("first") }));
  await headgate.says(
    /rds\.yaml:\d+:\d+: .*typed_per_filter_config.*Wasm in a table of RDS is not implemented/,
  );
  expect(await seen()).toBe("1");
  await counted("success", () => put("4", { "/": switched(true) }));
  expect(await seen()).toBe(null);
});

test("what is the VM's cannot be a route's", async () => {
  const bad = config([], { "/": routed("x", { name: "other", vm_config: { vm_id: "v" } }) });
  const path = processes.scratch.write("bad.json", bad);
  const { output } = await processes.run("-c", path, "--mode", "validate");
  expect(output).toContain("vm_config: cannot differ from the filter's");
  expect(output).toContain("name: cannot differ from the filter's");
});
