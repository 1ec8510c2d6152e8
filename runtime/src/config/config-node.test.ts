import { fromBinary, toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type LoadedBootstrap, loadBootstrap } from "./bootstrap-loader.ts";
import { ConfigErrors, describeProblem } from "./config-error.ts";
import { ProblemList } from "./problem-list.ts";
import { Schema } from "./schema.ts";

const schema = Schema.open();

const yaml = `node:
  id: n1
  locality: {zone: z}
  metadata: {a: [1, {b: ~}]}
static_resources:
  clusters:
  - name: one
    connect_timeout: 0.25s
    type: STATIC
    lb_policy: MAGLEV
    maglev_lb_config: {table_size: 65537}
    per_connection_buffer_limit_bytes: 0
    common_lb_config: {healthy_panic_threshold: {value: 12.5}}
    typed_extension_protocol_options:
      x:
        "@type": a/envoy.extensions.filters.http.router.v3.Router
        dynamic_stats: false
      y: {"@type": a/google.protobuf.Duration, value: 1.5s}
  - name: two
    outlier_detection: {consecutive_5xx: 3}
  secrets:
  - name: s
    generic_secret: {secret: {inline_bytes: aGk=}}
stats_flush_interval: 1s
`;

function load(text = yaml): Promise<LoadedBootstrap> {
  return loadBootstrap({ yaml: text, allowUnknownStaticFields: false, schema });
}

function unread(loaded: LoadedBootstrap): string[] {
  return loaded.unreadFields().map((problem) => problem.path);
}

test("getters answer what is set, the fallback, or undefined", async () => {
  const { root } = await load();
  const [one, two] = root.node("static_resources")?.nodes("clusters") ?? [];
  if (one === undefined || two === undefined) throw new Error("no clusters");
  expect(one.string("name")).toBe("one");
  expect(one.string("alt_stat_name")).toBeUndefined();
  expect(one.string("alt_stat_name", "x")).toBe("x");
  expect(one.durationMs("connect_timeout", 5000)).toBe(250);
  expect(two.durationMs("connect_timeout", 5000)).toBe(5000);
  expect(String(one.duration("connect_timeout"))).toBe("0.250s");
  expect(one.enum("lb_policy")).toBe("MAGLEV");
  expect(two.enum("lb_policy")).toBe("ROUND_ROBIN");
  expect(one.uint("per_connection_buffer_limit_bytes", 7)).toBe(0);
  expect(two.uint("per_connection_buffer_limit_bytes", 7)).toBe(7);
  const panic = one.node("common_lb_config")?.node("healthy_panic_threshold");
  expect(panic?.double("value", 50)).toBe(12.5);
  expect(one.bool("ignore_health_on_host_removal", true)).toBe(true);
  expect(one.oneof("cluster_discovery_type")).toBe("type");
  expect(two.oneof("cluster_discovery_type")).toBeUndefined();
  const options = one.map("typed_extension_protocol_options");
  expect(options.get("x")?.typeName).toBe("envoy.extensions.filters.http.router.v3.Router");
  expect(options.get("x")?.bool("dynamic_stats")).toBe(false);
  expect(options.get("y")?.content).toBe(1500);
  expect(root.node("node")?.json("metadata")).toEqual({ a: [1, { b: null }] });
  expect(root.node("node")?.strings("client_features")).toEqual([]);
  expect(root.node("admin")).toBeUndefined();
});

test("a name that the message does not have is our bug and throws", async () => {
  const { root } = await load();
  expect(() => root.string("nod")).toThrow("Bootstrap has no field nod");
  expect(() => root.has("nod")).toThrow("has no field");
  expect(() => root.accept("nod", "")).toThrow("has no field");
  expect(() => root.oneof("nod")).toThrow("has no oneof");
  expect(() => root.uint("stats_flush_interval")).toThrow("getter of another type");
  expect(() => root.string("node")).toThrow("getter of another type");
  expect(() => root.nodes("node")).toThrow("getter of another type");
});

test("lists what nobody has read, topmost only, and nothing else", async () => {
  const loaded = await load();
  expect(unread(loaded)).toEqual([""]);
  const resources = loaded.root.node("static_resources");
  const [one] = resources?.nodes("clusters") ?? [];
  expect(one?.has("connect_timeout")).toBe(true);
  one?.string("name");
  one?.accept("connect_timeout", "every connect is bounded already");
  one?.map("typed_extension_protocol_options");
  expect(unread(loaded)).toEqual([
    "node",
    "static_resources.clusters[0].type",
    "static_resources.clusters[0].lb_policy",
    "static_resources.clusters[0].maglev_lb_config",
    "static_resources.clusters[0].per_connection_buffer_limit_bytes",
    "static_resources.clusters[0].common_lb_config",
    'static_resources.clusters[0].typed_extension_protocol_options["x"]',
    "static_resources.clusters[1]",
    "static_resources.secrets",
    "stats_flush_interval",
  ]);
  expect(loaded.acceptedFields().map(describeProblem)).toEqual([
    "--config-yaml:8:5: static_resources.clusters[0].connect_timeout: every connect is bounded already",
  ]);
  expect(loaded.unreadFields().at(-1)).toEqual({
    file: "--config-yaml",
    line: 24,
    column: 1,
    path: "stats_flush_interval",
    message: "not implemented by Headgate",
  });
});

test("when everything is read or accepted nothing is left", async () => {
  const loaded = await load("node: {id: a, locality: {zone: z}}\nadmin: {profile_path: x}\n");
  const node = loaded.root.node("node");
  node?.string("id");
  node?.node("locality")?.acceptRest("shown only");
  loaded.root.accept("admin", "nothing to profile");
  expect(unread(loaded)).toEqual([]);
  expect(loaded.acceptedFields().map((problem) => problem.path)).toEqual([
    "node.locality.zone",
    "admin",
  ]);
});

test("says where a message or a field stands, and reports there", async () => {
  const { root } = await load();
  const [one] = root.node("static_resources")?.nodes("clusters") ?? [];
  expect(one?.where()).toBe("--config-yaml:7:5: static_resources.clusters[0]");
  expect(one?.where("type")).toBe("--config-yaml:9:5: static_resources.clusters[0].type");
  expect(one?.where("eds_cluster_config")).toBe(
    "--config-yaml:7:5: static_resources.clusters[0].eds_cluster_config",
  );
  const problems = new ProblemList();
  one?.report(problems, "found MAGLEV, expected something simpler", "lb_policy", "value");
  one?.warn(problems, "odd", "type");
  expect(problems.warnings().map(describeProblem)).toEqual([
    "--config-yaml:9:5: static_resources.clusters[0].type: odd",
  ]);
  expect(() => problems.throwIfAny()).toThrow(
    new ConfigErrors([
      {
        file: "--config-yaml",
        line: 10,
        column: 16,
        path: "static_resources.clusters[0].lb_policy",
        message: "found MAGLEV, expected something simpler",
      },
    ]),
  );
});

test("writes itself as JSON with proto names and as bytes that protobuf reads back", async () => {
  const { root } = await load();
  const json = root.toProtoJson();
  expect(json).toMatchObject({
    static_resources: {
      clusters: [
        { maglev_lb_config: { table_size: "65537" }, connect_timeout: "0.250s" },
        { outlier_detection: { consecutive_5xx: 3 } },
      ],
      secrets: [{ generic_secret: { secret: { inline_bytes: "aGk=" } } }],
    },
  });
  const description = schema.requireMessage("envoy.config.bootstrap.v3.Bootstrap");
  const back = toJson(description, fromBinary(description, root.serialize()), {
    registry: schema.registry,
    useProtoFieldName: true,
  });
  expect(back).toMatchObject({ node: { id: "n1", metadata: { a: [1, { b: null }] } } });
  expect(JSON.stringify(back)).toContain(
    '"value":"1.500s","@type":"type.googleapis.com/google.protobuf.Duration"',
  );
});

test("the content of an Any is serialised without the Any", async () => {
  const { root } = await load();
  const [one] = root.node("static_resources")?.nodes("clusters") ?? [];
  const options = one?.map("typed_extension_protocol_options");
  expect(options?.get("y")?.serialize()).toEqual(
    new Uint8Array([0x08, 0x01, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]),
  );
  expect(options?.get("x")?.serialize()).toEqual(new Uint8Array([0x0a, 0x00]));
  expect(options?.get("x")?.toProtoJson()).toEqual({
    "@type": "a/envoy.extensions.filters.http.router.v3.Router",
    dynamic_stats: false,
  });
});
