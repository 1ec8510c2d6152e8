// Wasm filters that routes configure, in a real process: typed_per_filter_config with the filter's own
// message gives a root context of its own, on the filter's VM.
import { renameSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { get, KeptConnection } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 1 });
const upstream = useUpstream("hello");
const TYPE = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

type PerFilter = Readonly<Record<string, object>>;

interface Rds {
  readonly headgate: HeadgateProcess;
  /** Puts other routes there, and waits until they are taken or not. */
  readonly change: (what: "success" | "rejected", next: PerFilter) => Promise<void>;
}

function routed(value: string, more: object = {}): object {
  const configuration = { "@type": "type.googleapis.com/google.protobuf.StringValue", value };
  return { guest: { "@type": TYPE, config: { configuration, ...more } } };
}

function config(script: readonly string[], perFilter: PerFilter): object {
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

/** A process whose routes come by RDS, with what tests do to them. */
async function startRds(script: readonly string[], perFilter: PerFilter): Promise<Rds> {
  const put = (version: string, next: PerFilter): void => {
    const table = {
      "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
      name: "table",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: Object.entries(next).map(([prefix, typed_per_filter_config]) => ({
            match: { prefix },
            route: { cluster: "up" },
            typed_per_filter_config,
          })),
        },
      ],
    };
    const file = processes.scratch.write("next", { version_info: version, resources: [table] });
    renameSync(file, processes.scratch.path("rds.yaml"));
  };
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const path_config_source = { path: processes.scratch.path("rds.yaml") };
  const rds = {
    route_config_name: "table",
    config_source: { resource_api_version: "V3", path_config_source },
  };
  put("1", perFilter);
  const headgate = await processes.start({
    node: { id: "node", cluster: "cluster" },
    ...bootstrap({
      upstreamPort: upstream.port,
      filters: [wasmFilter(module, "guest", script.join("\n"))],
      hcm: { route_config: undefined, rds },
    }),
  });
  let version = 1;
  const change = async (what: "success" | "rejected", next: PerFilter): Promise<void> => {
    const name = `http.main.rds.table.update_${what}`;
    const before = await headgate.stat(name);
    version += 1;
    put(String(version), next);
    await headgate.waitFor(async () => (await headgate.stat(name)) > before, what);
  };
  return { headgate, change };
}

test("a table of RDS switches filters", async () => {
  const switched = (disabled: boolean): object => ({
    guest: {
      "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
      disabled,
      ...(disabled ? {} : { config: {} }),
    },
  });
  const script = ["response_headers add_header_map_value 2 x-seen 1"];
  const { headgate, change } = await startRds(script, { "/": switched(true) });
  const seen = async (): Promise<string | null> =>
    (await fetch(`http://${await headgate.listener()}/`)).headers.get("x-seen");
  expect(await seen()).toBe(null);
  await change("success", { "/": switched(false) });
  expect(await seen()).toBe("1");
  await change("success", { "/": switched(true) });
  expect(await seen()).toBe(null);
});

test("a table of RDS brings plugins of its own, and connections stay", async () => {
  const told = (headgate: HeadgateProcess): (string | undefined)[] =>
    [...headgate.output.matchAll(/get_buffer_bytes 7 0 100 -> 0 \[(\w+)\]/g)].map((m) => m[1]);
  const script = ["configure get_buffer_bytes 7 0 100"];
  const { headgate, change } = await startRds(script, { "/one": routed("first"), "/": {} });
  expect(told(headgate)).toEqual(["0", "first"]);
  const client = new KeptConnection(await headgate.listener());
  /** Which root contexts streams have got since then. */
  const rootsOf = async (...paths: string[]): Promise<(string | undefined)[]> => {
    const at = headgate.output.length;
    for (const path of paths) expect((await client.ask(path)).status).toBe(200);
    const pattern = / create\(\d+,(\d+)\)/g;
    const found = (): RegExpExecArray[] => [...headgate.output.slice(at).matchAll(pattern)];
    await headgate.waitFor(() => found().length >= paths.length, "contexts");
    return found().map((match) => match[1]);
  };
  const [own, first] = await rootsOf("/", "/one");
  expect(first).not.toBe(own);
  // One more: the others are as they were.
  await change("success", { "/one": routed("first"), "/two": routed("second"), "/": {} });
  expect(told(headgate)).toEqual(["0", "first", "second"]);
  const [, , second] = await rootsOf("/", "/one", "/two");
  expect(await rootsOf("/", "/one", "/two")).toEqual([own, first, second]);
  expect(new Set([own, first, second]).size).toBe(3);
  // Other places, the same plugins in another order: nothing is configured again.
  await change("success", { "/two": routed("first"), "/one": routed("second"), "/": {} });
  expect(await rootsOf("/", "/one", "/two")).toEqual([own, second, first]);
  // A bad one changes nothing.
  await change("rejected", { "/one": routed("third", { name: "other" }), "/": {} });
  await headgate.says(/rds\.yaml:\d+:\d+: .*name: cannot differ from the filter's/);
  expect(await rootsOf("/", "/one", "/two")).toEqual([own, second, first]);
  // What no route names any more ends.
  await change("success", { "/one": routed("second"), "/": {} });
  await headgate.says(`delete(${first})`);
  expect(await rootsOf("/", "/one", "/two")).toEqual([own, second, own]);
  expect(told(headgate)).toEqual(["0", "first", "second"]);
  client.destroy();
  expect(await headgate.stat("http.main.downstream_cx_total")).toBe(1);
  expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBe(0);
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.created")).toBe(1);
});

test("a table of RDS whose plugin cannot be configured is refused as a whole", async () => {
  const script = ["configure#2 return 0"];
  const { headgate, change } = await startRds(script, { "/": {} });
  await change("rejected", { "/": routed("first") });
  await headgate.says(/rds\.yaml:\d+:\d+: .*\.config: plugin guest: proxy_on_configure/);
  expect((await get(await headgate.listener(), "/")).status).toBe(200);
});

test("what is the VM's cannot be a route's", async () => {
  const bad = config([], { "/": routed("x", { name: "other", vm_config: { vm_id: "v" } }) });
  const path = processes.scratch.write("bad.json", bad);
  const { output } = await processes.run("-c", path, "--mode", "validate");
  expect(output).toContain("vm_config: cannot differ from the filter's");
  expect(output).toContain("name: cannot differ from the filter's");
});
