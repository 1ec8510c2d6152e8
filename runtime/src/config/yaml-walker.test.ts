import { expect, test } from "vitest";
import { loadBootstrap } from "./bootstrap-loader.ts";
import { ConfigErrors } from "./config-error.ts";
import type { Json } from "./message-value.ts";
import { Schema } from "./schema.ts";

const schema = Schema.open();
const allowUnknownStaticFields = false;

async function read(yaml: string): Promise<Json> {
  return (await loadBootstrap({ yaml, allowUnknownStaticFields, schema })).root.toProtoJson();
}

/** Problems without position and, when it is given, without the path that all share. */
async function problems(yaml: string): Promise<string[]> {
  try {
    await read(yaml);
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

const inCluster = (fields: string): string =>
  `static_resources: {clusters: [{name: a, ${fields}}]}`;

async function readCluster(fields: string): Promise<Json> {
  const json = (await read(inCluster(fields))) as {
    static_resources: { clusters: { [name: string]: Json }[] };
  };
  const { name, ...rest } = json.static_resources.clusters[0] ?? {};
  expect(name).toBe("a");
  return rest;
}

async function clusterProblem(fields: string): Promise<string> {
  const found = await problems(inCluster(fields));
  expect(found).toHaveLength(1);
  return (found[0] ?? "").replace("static_resources.clusters[0].", "");
}

test("accepts what Envoy accepts for strict protobuf JSON's sake", async () => {
  const cases: [string, Json][] = [
    ["connectTimeout: 1s", { connect_timeout: "1s" }],
    ["lb_policy: round_robin", { lb_policy: "ROUND_ROBIN" }],
    ["type: 1", { type: "STRICT_DNS" }],
    ['type: "1"', { type: "STRICT_DNS" }],
    ["type: ~", {}],
    ["connect_timeout: {seconds: 1, nanos: 500000000}", { connect_timeout: "1.500s" }],
    ['connect_timeout: {seconds: "1"}', { connect_timeout: "1s" }],
    ["connect_timeout: 0.000001s", { connect_timeout: "0.000001s" }],
    ["ignore_health_on_host_removal: yes", { ignore_health_on_host_removal: true }],
    ['ignore_health_on_host_removal: "True"', { ignore_health_on_host_removal: true }],
    ["per_connection_buffer_limit_bytes: 0x10", { per_connection_buffer_limit_bytes: 16 }],
    ['per_connection_buffer_limit_bytes: "100"', { per_connection_buffer_limit_bytes: 100 }],
    ["per_connection_buffer_limit_bytes: 1e3", { per_connection_buffer_limit_bytes: 1000 }],
    ["per_connection_buffer_limit_bytes: {value: 7}", { per_connection_buffer_limit_bytes: 7 }],
    [
      "common_lb_config: {healthy_panic_threshold: {value: .5}}",
      { common_lb_config: { healthy_panic_threshold: { value: 0.5 } } },
    ],
    [
      "ring_hash_lb_config: {minimum_ring_size: 8000000}",
      { ring_hash_lb_config: { minimum_ring_size: "8000000" } },
    ],
  ];
  for (const [fields, json] of cases) {
    expect([fields, await readCluster(fields)]).toEqual([fields, json]);
  }
});

test("one object is a list of one, lists are flattened, and null items are empty", async () => {
  expect(await read("static_resources: {clusters: {name: a}}")).toEqual(
    await read("static_resources: {clusters: [[{name: a}]]}"),
  );
  expect(await read("node: {client_features: x}")).toEqual({ node: { client_features: ["x"] } });
  expect(await read("node: {client_features: [~, x]}")).toEqual({
    node: { client_features: ["", "x"] },
  });
  expect(await problems("node: {client_features: [[[x]]]}")).toEqual([
    "node.client_features: found lists nested too deeply, expected one",
  ]);
});

test("drops map entries whose key is tagged !ignore, but keeps their anchors", async () => {
  expect(await read("!ignore base: &base {id: a}\nnode: *base\n")).toEqual({ node: { id: "a" } });
});

test("merge keys give way to the map's own keys", async () => {
  const yaml = "!ignore a: &a {id: one, cluster: two}\nnode:\n  <<: *a\n  id: own\n";
  expect(await read(yaml)).toEqual({ node: { id: "own", cluster: "two" } });
  expect(
    await read("!ignore a: &a {id: x}\n!ignore b: &b {id: y, cluster: z}\nnode: {<<: [*a, *b]}"),
  ).toEqual({ node: { id: "x", cluster: "z" } });
  expect((await problems("node: {<<: 5}"))[0]).toContain('no map behind the merge key "<<"');
});

test("says what was found and what was expected", async () => {
  const cases: [string, string][] = [
    ["name: a", 'duplicate key "name" (first set at 1:32)'],
    ["alt_stat_name: 5", "alt_stat_name: found 5, expected a string (put it in quotes)"],
    [
      "alt_stat_name: on",
      "alt_stat_name: found true, expected a string (put it in quotes: bare y, n, yes, no, on and off are booleans)",
    ],
    ["alt_stat_name: [x]", "alt_stat_name: found a list, expected a string"],
    [
      "ignore_health_on_host_removal: 1",
      "ignore_health_on_host_removal: found 1, expected true or false",
    ],
    [
      "per_connection_buffer_limit_bytes: -1",
      "per_connection_buffer_limit_bytes: found -1, expected a uint32 (0 to 4294967295)",
    ],
    [
      "per_connection_buffer_limit_bytes: 4294967296",
      'per_connection_buffer_limit_bytes: found "4294967296", expected a uint32 (0 to 4294967295)',
    ],
    [
      "connect_timeout: 5",
      'connect_timeout: found 5, expected a duration of seconds like "1.5s" (did you mean "5s"?)',
    ],
    [
      "connect_timeout: 15m",
      'connect_timeout: found "15m", expected a duration of seconds like "1.5s" (did you mean "900s"?)',
    ],
    [
      "connect_timeout: -1s",
      'connect_timeout: found "-1s", expected a duration of seconds like "1.5s", not negative',
    ],
    [
      "connect_timeout: soon",
      'connect_timeout: found "soon", expected a duration of seconds like "1.5s"',
    ],
    [
      "type: true",
      "type: found true, expected one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST",
    ],
    [
      "lb_subset_config: 1",
      "lb_subset_config: found 1, expected a map (envoy.config.cluster.v3.Cluster.LbSubsetConfig)",
    ],
    ["metadata: {filter_metadata: [1]}", "metadata.filter_metadata: found a list, expected a map"],
    [
      "metadata: {filter_metadata: {k: 1}}",
      'metadata.filter_metadata["k"]: found 1, expected a map',
    ],
    [
      "type: STATIC, cluster_type: {name: x}",
      'cluster_type: found both "type" and "cluster_type", expected only one of the cluster_discovery_type fields',
    ],
    [
      "connect_timeout: 1s, connectTimeout: 2s",
      'connect_timeout: found both "connect_timeout" and "connectTimeout", expected only one',
    ],
    [
      "typed_extension_protocol_options: {x: 5}",
      'typed_extension_protocol_options["x"]: found 5, expected a map with "@type"',
    ],
    [
      "typed_extension_protocol_options: {x: {a: 1}}",
      'typed_extension_protocol_options["x"]: found no "@type", expected a type URL like "type.googleapis.com/envoy...."',
    ],
    [
      'typed_extension_protocol_options: {x: {"@type": a.b}}',
      'typed_extension_protocol_options["x"]: found the type URL "a.b", expected a host and a slash before the name (did you mean "type.googleapis.com/a.b"?)',
    ],
  ];
  for (const [fields, problem] of cases) {
    expect([fields, (await clusterProblem(fields)).replace(/^: /, "")]).toEqual([fields, problem]);
  }
});

test("suggests the v3 message for a v2 type, and nothing for a type that nobody knows", async () => {
  const at = 'typed_extension_protocol_options["x"]: unknown extension type';
  const any = (name: string): string =>
    `typed_extension_protocol_options: {x: {"@type": type.googleapis.com/${name}}}`;
  expect(await clusterProblem(any("envoy.config.filter.http.router.v2.Router"))).toBe(
    `${at} "envoy.config.filter.http.router.v2.Router" (did you mean "envoy.extensions.filters.http.router.v3.Router"?)`,
  );
  expect(await clusterProblem(any("com.acme.Nothing"))).toBe(`${at} "com.acme.Nothing"`);
});

test("reads a TypedStruct against the message that it stands for", async () => {
  const typed = (name: string, rest: string): string =>
    `typed_extension_protocol_options: {x: {"@type": type.googleapis.com/${name}, ${rest}}}`;
  const url = "type_url: a/envoy.extensions.filters.http.router.v3.Router";
  for (const name of ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"]) {
    const value = "value: {suppress_envoy_headers: true}";
    expect(await readCluster(typed(name, `${url}, ${value}`))).toEqual({
      typed_extension_protocol_options: {
        x: {
          "@type": "a/envoy.extensions.filters.http.router.v3.Router",
          suppress_envoy_headers: true,
        },
      },
    });
    expect(await clusterProblem(typed(name, `${url}, value: {dynamic_statz: true}`))).toBe(
      'typed_extension_protocol_options["x"].dynamic_statz: unknown field "dynamic_statz" in envoy.extensions.filters.http.router.v3.Router (did you mean "dynamic_stats"?)',
    );
    expect(await clusterProblem(typed(name, "value: {}"))).toContain('found no "type_url"');
    expect(await clusterProblem(typed(name, `${url}, vale: {}`))).toContain(
      'unknown field "vale" in a TypedStruct (did you mean "value"?)',
    );
    expect(await clusterProblem(typed(name, "type_url: a/b.C"))).toContain(
      'unknown extension type "b.C"',
    );
  }
});

test("reads bytes in either base64 alphabet, with or without padding", async () => {
  const secret = (text: string): string =>
    `static_resources: {secrets: [{name: a, generic_secret: {secret: {inline_bytes: "${text}"}}}]}`;
  for (const text of ["aGk=", "aGk"]) {
    expect(JSON.stringify(await read(secret(text)))).toContain('"inline_bytes":"aGk="');
  }
  expect(JSON.stringify(await read(secret("_-8=")))).toContain('"inline_bytes":"/+8="');
  for (const text of ["a!", "aGk=x", "a"]) {
    expect((await problems(secret(text)))[0]).toContain("expected bytes in base64");
  }
});

test("a Struct keeps its shape; floats stay text and null stays null", async () => {
  const metadata = "{a: 1.5, b: [1, yes], c: {d: ~}, e: 3000000000, __proto__: x}";
  const json = (await read(`node: {metadata: ${metadata}}`)) as { node: { metadata: Json } };
  expect(JSON.stringify(json.node.metadata)).toBe(
    '{"a":"1.5","b":[1,true],"c":{"d":null},"e":"3000000000","__proto__":"x"}',
  );
});

test("messages nested beyond protobuf's limit are refused, not overflowed", async () => {
  const deep = (count: number): string => {
    let matcher = "{any_match: true}";
    for (let depth = 0; depth < count; depth += 1) matcher = `{not_match: ${matcher}}`;
    return `static_resources: {listeners: [{name: x, address: {socket_address: {address: a, port_value: 0}}, filter_chains: [{filters: []}], listener_filters: [{name: z, filter_disabled: ${matcher}}]}]}`;
  };
  expect(await problems(deep(10))).toEqual([]);
  expect((await problems(deep(300)))[0]).toContain("nested too deeply");
});

test("an alias that repeats without end or without measure is refused", async () => {
  expect(await problems("node: &a {metadata: {b: *a}}")).toEqual([
    ": the alias *a contains itself",
  ]);
  const bomb = ["node: {metadata: {a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 9; level += 1) {
    const alias = `*a${level - 1}`;
    bomb.push(`  , a${level}: &a${level} [${Array.from({ length: 10 }, () => alias).join(", ")}]`);
  }
  expect((await problems(`${bomb.join("\n")}}}`))[0]).toContain("aliases repeat more than");
});

test("refuses values that Envoy refuses by default, and warns of deprecated ones", async () => {
  const api = "{api_type: DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE}";
  expect(await problems(`default_config_source: {api_config_source: ${api}}`)).toEqual([
    "default_config_source.api_config_source.api_type: refused by default: Using deprecated value 'DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE' from file config_source.proto",
  ]);
  const yaml = inCluster("type: STATIC, http2_protocol_options: {}, dns_refresh_rate: 5s");
  const { warnings } = await loadBootstrap({ yaml, allowUnknownStaticFields, schema });
  expect(warnings.map((warning) => warning.message)).toEqual([
    "deprecated: Using deprecated option 'envoy.config.cluster.v3.Cluster.http2_protocol_options' from file cluster.proto",
    "deprecated: Using deprecated option 'envoy.config.cluster.v3.Cluster.dns_refresh_rate' from file cluster.proto",
  ]);
});
