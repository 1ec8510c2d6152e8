import { fromBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ConfigErrors } from "../config-error.ts";
import { Schema } from "../schema.ts";
import {
  address,
  boot,
  type Fields,
  forward,
  HCM_PATH,
  problems,
  ROUTE_PATH,
  table,
  translate,
  type,
  warnings,
} from "./bootstrap-for-test.ts";
import type { TranslateOptions } from "./translate-bootstrap.ts";

const FILE = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
const STDOUT = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
const ignoring = { ignoreUnsupported: true };
const schema = Schema.open();

const bootstrapProblems = (bootstrap: Fields): Promise<string[]> => problems(boot({ bootstrap }));

test("takes an empty configuration", async () => {
  const { snapshot, admin, statsFlushIntervalMs, warnings } = await translate("{}");
  expect(snapshot).toMatchObject({ version: 1, listeners: [], clusters: [], plugins: [] });
  expect({ admin, statsFlushIntervalMs, warnings }).toEqual({
    admin: null,
    statsFlushIntervalMs: 5000,
    warnings: [],
  });
});

test("carries what the command line says into the snapshot", async () => {
  const { snapshot } = await translate("{}", {
    version: 7,
    fileFlushIntervalMs: 10,
    drainTimeMs: 20,
    drainStrategy: "immediate",
  });
  expect(snapshot.version).toBe(7);
  expect(snapshot.server).toMatchObject({
    fileFlushIntervalMs: 10,
    drainTimeMs: 20,
    drainStrategy: "immediate",
  });
  expect(snapshot.server.hostname).not.toBe("");
});

test("makes a snapshot that can be sent to a worker", async () => {
  const { snapshot } = await translate(boot());
  expect(structuredClone(snapshot)).toEqual(snapshot);
});

describe("the node", () => {
  const node = {
    id: "n",
    cluster: "c",
    locality: { region: "r", zone: "z", sub_zone: "s" },
    metadata: { a: [1, true] },
    user_agent_name: "u",
  };
  async function serialised(
    options: Partial<TranslateOptions>,
    bootstrap: Fields,
  ): Promise<unknown> {
    const { snapshot } = await translate(boot({ bootstrap }), options);
    const description = schema.requireMessage("envoy.config.core.v3.Node");
    const message = fromBinary(description, snapshot.node.serialized);
    return toJson(description, message, { useProtoFieldName: true });
  }

  test("is read, and handed to guests as a whole", async () => {
    const { snapshot } = await translate(boot({ bootstrap: { node } }));
    const { serialized: _, ...names } = snapshot.node;
    expect(names).toEqual({ id: "n", cluster: "c", zone: "z", region: "r", subZone: "s" });
    expect(await serialised({}, { node })).toEqual(node);
  });

  test("has the names of the command line, for guests too", async () => {
    const flags = { serviceNode: "N", serviceCluster: "C", serviceZone: "Z" };
    const { snapshot } = await translate(boot({ bootstrap: { node } }), flags);
    expect(snapshot.node).toMatchObject({ id: "N", cluster: "C", zone: "Z", region: "r" });
    const locality = { ...node.locality, zone: "Z" };
    expect(await serialised(flags, { node })).toEqual({ ...node, id: "N", cluster: "C", locality });
    expect(await serialised(flags, {})).toEqual({ id: "N", cluster: "C", locality: { zone: "Z" } });
  });

  test("is empty when nobody names it", async () => {
    const { snapshot } = await translate("{}");
    expect(snapshot.node.serialized).toEqual(new Uint8Array(0));
  });
});

describe("the admin interface", () => {
  test("is read with its logs", async () => {
    const admin = {
      address: address("::1", 9901),
      access_log_path: "/dev/null",
      access_log: [
        { name: "a", typed_config: { ...type(FILE), path: "/dev/stderr" } },
        { name: "b", typed_config: type(STDOUT) },
      ],
      profile_path: "/x",
      ignore_global_conn_limit: true,
    };
    const translated = await translate(boot({ bootstrap: { admin } }));
    expect(translated.admin).toEqual({
      address: { kind: "ip", address: "::1", port: 9901, ipv4Compat: false, pipeMode: 0 },
      accessLogPaths: ["/dev/stderr", "/dev/stdout"],
    });
  });

  test("is not there without an address", async () => {
    expect((await translate(boot({ bootstrap: { admin: {} } }))).admin).toBeNull();
  });

  const withLog = (log: Fields): Fields => ({
    admin: { address: address(), access_log: [{ name: "a", ...log }] },
  });
  test.each<[Fields, string]>([
    [
      { admin: { address: address("localhost") } },
      "admin.address.socket_address.address: malformed IP address: localhost (names need a cluster of type STRICT_DNS or LOGICAL_DNS)",
    ],
    [
      { admin: { address: address(), allow_paths: [{ exact: "/stats" }] } },
      "admin.allow_paths: not implemented by Headgate",
    ],
    [withLog({}), "admin.access_log[0].typed_config: not set: value is required"],
    [
      withLog({ typed_config: { ...type(FILE), path: "/" } }),
      "admin.access_log[0].typed_config.path: unable to open the file /: is a directory",
    ],
    [
      withLog({ typed_config: type(STDOUT), filter: { traceable_filter: {} } }),
      "admin.access_log[0].filter: not implemented by Headgate",
    ],
  ])("refuses %j", async (bootstrap, expected) => {
    expect(await bootstrapProblems(bootstrap)).toEqual([expected]);
  });

  test("is not opened wider by --ignore-unsupported", async () => {
    const admin = { address: address(), allow_paths: [{ exact: "/stats" }] };
    const found = await problems(boot({ bootstrap: { admin } }), ignoring);
    expect(found).toEqual([
      "admin.allow_paths: not implemented by Headgate, and --ignore-unsupported does not cover it: the admin interface would answer on all paths",
    ]);
  });
});

test("reads how often stats are flushed", async () => {
  const often = boot({ bootstrap: { stats_flush_interval: "0.5s" } });
  expect((await translate(often)).statsFlushIntervalMs).toBe(500);
  const asked = boot({ bootstrap: { stats_flush_on_admin: true } });
  expect((await translate(asked)).statsFlushIntervalMs).toBe(5000);
  expect(
    await bootstrapProblems({ stats_flush_interval: "1s", stats_flush_on_admin: true }),
  ).toEqual([
    "stats_flush_on_admin: only one of stats_flush_interval and stats_flush_on_admin can be set",
  ]);
});

test.each<Fields>([
  { dynamic_resources: {} },
  { cluster_manager: {} },
  { layered_runtime: {} },
  { stats_config: {} },
  { stats_sinks: [] },
  { header_prefix: "" },
  { use_tcp_for_dns_lookups: false },
  { watchdogs: { main_thread_watchdog: { miss_timeout: "1s" } } },
  { enable_dispatcher_stats: true },
])("takes %j: it asks for nothing that is not there", async (bootstrap) => {
  expect(await bootstrapProblems(bootstrap)).toEqual([]);
});

test.each<[Fields, string]>([
  [{ dynamic_resources: { ads_config: {} } }, "dynamic_resources.ads_config"],
  [
    { layered_runtime: { layers: [{ name: "a", disk_layer: { symlink_root: "/x" } }] } },
    "layered_runtime.layers[0].disk_layer",
  ],
  [
    { layered_runtime: { layers: [{ name: "a", rtds_layer: { name: "r" } }] } },
    "layered_runtime.layers[0].rtds_layer",
  ],
  [{ cluster_manager: { local_cluster_name: "up" } }, "cluster_manager.local_cluster_name"],
  [{ tracing: {} }, "tracing"],
  [{ header_prefix: "x-foo" }, "header_prefix"],
])("names %j as not implemented", async (bootstrap, path) => {
  expect(await bootstrapProblems(bootstrap)).toContain(`${path}: not implemented by Headgate`);
});

const layered = (...layers: readonly Fields[]): Fields => ({ layered_runtime: { layers } });

test("runtime layers: groups of keys are joined by dots, fractions are values", async () => {
  const layers = layered(
    { name: "a", static_layer: { k: { one: 1, text: "x" }, f: { numerator: 5 }, "d.e": true } },
    { name: "b", admin_layer: {} },
  );
  const { snapshot } = await translate(boot({ bootstrap: layers }));
  const [first, second] = snapshot.runtime;
  expect([...(first?.values ?? [])].map(([key, { number, ppm }]) => [key, number, ppm])).toEqual([
    ["k.one", 1, null],
    ["k.text", null, null],
    ["f", null, 50_000],
    ["d.e", null, null],
  ]);
  expect(second).toEqual({ name: "b", kind: "admin", values: new Map() });
});

test.each<[readonly Fields[], string]>([
  [
    [
      { name: "a", static_layer: {} },
      { name: "a", static_layer: {} },
    ],
    "layered_runtime.layers[1].name: duplicate layer name: a",
  ],
  [
    [
      { name: "a", admin_layer: {} },
      { name: "b", admin_layer: {} },
    ],
    "layered_runtime.layers[1].admin_layer: too many admin layers, at most one may be specified",
  ],
  [
    [{ name: "a", static_layer: { k: { l: [1] } } }],
    "layered_runtime.layers[0].static_layer: invalid runtime entry value for k.l: a list, expected a number, a truth value, a text or a map",
  ],
  [
    [{ name: "a", static_layer: { k: null } }],
    "layered_runtime.layers[0].static_layer: invalid runtime entry value for k: null, expected a number, a truth value, a text or a map",
  ],
])("refuses runtime layers %j", async (layers, expected) => {
  expect(await bootstrapProblems(layered(...layers))).toEqual([expected]);
});

test("warns of runtime keys that only Envoy has", async () => {
  const values = { "envoy.reloadable_features.x": false, "my.share": 5 };
  expect(await warnings(boot({ bootstrap: layered({ name: "a", static_layer: values }) }))).toEqual(
    [
      "layered_runtime.layers[0].static_layer: the runtime key envoy.reloadable_features.x has no effect",
    ],
  );
});

test("warns of fields that nobody implements when told to ignore, except of guarded ones", async () => {
  const tracing = boot({ bootstrap: { tracing: {}, flags_path: "/x" } });
  expect(await warnings(tracing, ignoring)).toEqual([
    "tracing: not implemented by Headgate",
    "flags_path: not implemented by Headgate",
  ]);
  expect(await problems(boot({ bootstrap: { header_prefix: "x-foo" } }), ignoring)).toEqual([
    "header_prefix: not implemented by Headgate, and --ignore-unsupported does not cover it: clients could set the headers that the upstream trusts",
  ]);
});

test("names mistakes of all stages in one go, in the order of the text", async () => {
  const routes = table(forward({ cluster: "nowhere", prefix_rewrit: "/" }));
  const config = boot({
    routes,
    hcm: { via: 5.5, strip_any_host_port: true, strip_matching_host_port: true, tracing: {} },
    listener: { connection_balance_config: {}, tcp_backlog_size: -1 },
  });
  expect(await problems(config)).toEqual([
    `${ROUTE_PATH}.route.cluster: unknown cluster 'nowhere'`,
    expect.stringContaining(`${ROUTE_PATH}.route.prefix_rewrit: unknown field "prefix_rewrit"`),
    `${HCM_PATH}.strip_any_host_port: only one of strip_matching_host_port and strip_any_host_port can be set`,
    `${HCM_PATH}.tracing: not implemented by Headgate`,
    expect.stringContaining("static_resources.listeners[0].connection_balance_config"),
    expect.stringContaining("static_resources.listeners[0].tcp_backlog_size: found -1"),
  ]);
});

test("says one thing of one field: what the first stage found", async () => {
  const options = { header_key_format: { stateful_formatter: { name: "x" } } };
  expect(await problems(boot({ hcm: { http_protocol_options: options } }))).toEqual([
    `${HCM_PATH}.http_protocol_options.header_key_format.stateful_formatter.typed_config: not set: value is required`,
  ]);
});

test("keeps a hundred problems and counts the others", async () => {
  const routes = Array.from({ length: 150 }, () => forward({ cluster: "nowhere" }));
  const promise = translate(boot({ routes: table(...routes) }));
  await expect(promise).rejects.toThrow(ConfigErrors);
  const error = await promise.catch((caught: unknown) => caught as ConfigErrors);
  expect(error).toMatchObject({ omitted: 50 });
  expect((error as ConfigErrors).problems).toHaveLength(100);
});
