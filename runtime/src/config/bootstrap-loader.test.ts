import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type BootstrapInput, type LoadedBootstrap, loadBootstrap } from "./bootstrap-loader.ts";
import { ConfigErrors, describeProblem, problemsMax } from "./config-error.ts";
import { Schema } from "./schema.ts";

const schema = Schema.open();
const folder = mkdtempSync(join(tmpdir(), "bootstrap-loader-"));

function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

function load(input: Partial<BootstrapInput>): Promise<LoadedBootstrap> {
  return loadBootstrap({ allowUnknownStaticFields: false, schema, ...input });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function problems(input: Partial<BootstrapInput>): Promise<string[]> {
  try {
    await load(input);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.message.replaceAll(folder, "").split("\n");
    throw error;
  }
  return [];
}

test("reads an Envoy bootstrap that newcomers write, with one warning for its deprecated field", async () => {
  const path = fixture("first-proxy.yaml");
  const { root, warnings } = await load({ path });
  const [cluster] = root.node("static_resources")?.nodes("clusters") ?? [];
  expect(cluster?.durationMs("connect_timeout")).toBe(500);
  expect(warnings.map(describeProblem)).toEqual([
    `${path}:40:3: admin.access_log_path: deprecated: Using deprecated option 'envoy.config.bootstrap.v3.Admin.access_log_path' from file bootstrap.proto`,
  ]);
});

test("reads the quickstart with a wasm filter and its configurations inside Any", async () => {
  const { root, warnings } = await load({ path: fixture("quickstart.yaml") });
  const chain = root.node("static_resources")?.nodes("listeners")[0]?.nodes("filter_chains")[0];
  const hcm = chain?.nodes("filters")[0]?.any("typed_config");
  expect(hcm?.typeName).toBe(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  );
  const plugin = hcm?.nodes("http_filters")[0]?.any("typed_config")?.node("config");
  // Envoy reads a float of a YAML text as text, when no schema says otherwise.
  expect(plugin?.any("configuration")?.content).toEqual({
    greeting: "hello",
    times: 3,
    ratio: "1.5",
  });
  expect(plugin?.node("vm_config")?.any("configuration")?.content).toBe("plain");
  expect(warnings).toEqual([]);
});

test("reads a TLS edge with anchors, merge keys, TypedStruct and every kind of leniency", async () => {
  const { root, warnings } = await load({ path: fixture("edge.yaml") });
  expect(warnings).toEqual([]);
  const resources = root.node("static_resources");
  const [blue, green] = resources?.nodes("clusters") ?? [];
  expect(blue?.enum("type")).toBe("STRICT_DNS");
  const [threshold] = blue?.node("circuit_breakers")?.nodes("thresholds") ?? [];
  expect(threshold?.uint("max_connections")).toBe(1024);
  expect(green?.node("load_assignment")?.string("cluster_name")).toBe("green");
  expect(green?.node("load_assignment")?.nodes("endpoints")).toHaveLength(1);
  const plain = resources?.nodes("listeners")[0]?.nodes("filter_chains")[0]?.nodes("filters")[0];
  const router = plain?.any("typed_config")?.nodes("http_filters")[0]?.any("typed_config");
  expect(router?.typeName).toBe("envoy.extensions.filters.http.router.v3.Router");
  expect(router?.bool("suppress_envoy_headers")).toBe(true);
});

test("names five different mistakes of a file in one run, each with its place", async () => {
  const path = fixture("five-mistakes.yaml");
  const found = (await problems({ path })).map((line) => line.replace(path, "f"));
  expect(found).toEqual([
    "f:4:68: static_resources.listeners[0].address.socket_address.port_value: found 70000: value must be less than or equal to 65535",
    'f:9:26: static_resources.listeners[0].filter_chains[0].filters[0].typed_config: unknown extension type "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManger" (did you mean "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"?)',
    'f:12:7: static_resources.clusters[0].connect_timeot: unknown field "connect_timeot" in envoy.config.cluster.v3.Cluster (did you mean "connect_timeout"?)',
    'f:13:18: static_resources.clusters[0].lb_policy: unknown enum value "ROUND_ROBBIN" of envoy.config.cluster.v3.Cluster.LbPolicy, expected one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG (did you mean "ROUND_ROBIN"?)',
    'f:14:25: static_resources.clusters[0].dns_refresh_rate: found "500ms", expected a duration of seconds like "1.5s" (did you mean "0.5s"?)',
  ]);
});

test("says where a problem is in JSON, and in a text that the fast reader declines", async () => {
  const json = file("a.json", '{\n  "node": {\n    "id": 5\n  }\n}\n');
  expect(await problems({ path: json })).toEqual([
    "/a.json:3:11: node.id: found 5, expected a string (put it in quotes)",
  ]);
  const yaml = file("a.yaml", "node: &n\n  id: 5\nadmin:\n  profile_path: *n\n");
  expect(await problems({ path: yaml })).toEqual([
    "/a.yaml:2:7: node.id: found 5, expected a string (put it in quotes)",
    "/a.yaml:4:17: admin.profile_path: found a map, expected a string",
  ]);
});

test("reports every syntax error and duplicate key with both places", async () => {
  expect(
    await problems({ path: file("d.yaml", "node:\n  id: a\n  cluster: b\n  id: c\n") }),
  ).toEqual(['/d.yaml:4:3: duplicate key "id" (first set at 2:3)']);
  expect(await problems({ path: file("t.yaml", "node:\n\tid: b\n") })).toEqual([
    "/t.yaml:2:1: not valid YAML: tabs are not allowed as indentation",
  ]);
  expect(await problems({ path: file("m.yaml", "node: {id: a}\n---\nnode: {id: b}\n") })).toEqual([
    "/m.yaml:2:1: found a second YAML document, expected only one",
  ]);
  expect(await problems({ path: file("y.json", "node: {id: a}") })).toEqual([
    "/y.json:1:1: found no JSON object, expected {",
  ]);
});

test("refuses what is no configuration at all", async () => {
  expect(await problems({ path: file("e.yaml", "# nothing\n") })).toEqual([
    "/e.yaml:1:1: found an empty document, expected a bootstrap configuration",
  ]);
  expect(await problems({})).toEqual(["no configuration: expected --config-path or --config-yaml"]);
  expect((await problems({ path: join(folder, "absent.yaml") }))[0]).toContain(
    "/absent.yaml: unable to read the file: ENOENT",
  );
  for (const extension of [".pb", ".pb_text"]) {
    expect(await problems({ path: `/etc/bootstrap${extension}` })).toEqual([
      `/etc/bootstrap${extension}: ${extension} files are not supported, expected YAML or JSON`,
    ]);
  }
  const binary = join(folder, "binary.yaml");
  writeFileSync(binary, Buffer.from([0x6e, 0xff, 0xfe]));
  expect(await problems({ path: binary })).toEqual([
    "/binary.yaml: unable to read the file: found bytes that are not UTF-8",
  ]);
});

test("merges --config-yaml over the file by protobuf's rules", async () => {
  const path = file(
    "base.yaml",
    "node: {id: a, cluster: b, metadata: {x: 1, y: 2}}\n" +
      "static_resources: {clusters: [{name: one, type: STATIC}]}\n" +
      "stats_flush_interval: 5s\n" +
      "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}\n",
  );
  const { root, positions } = await load({
    path,
    yaml:
      "node: {id: c, metadata: {y: 3}}\n" +
      "static_resources: {clusters: [{name: two, type: STATIC}]}\n" +
      "stats_flush_on_admin: true\n" +
      "admin: {address: {socket_address: {port_value: 0}}}\n",
  });
  expect(root.toProtoJson()).toEqual({
    node: { id: "c", cluster: "b", metadata: { x: 1, y: 3 } },
    static_resources: {
      clusters: [
        { name: "one", type: "STATIC" },
        { name: "two", type: "STATIC" },
      ],
    },
    stats_flush_interval: "5s",
    stats_flush_on_admin: true,
    // The address is one value: port_value is in a oneof, so 0 is a value there.
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
  });
  const clusters = root.node("static_resources")?.nodes("clusters") ?? [];
  expect(clusters[1]?.where("type")).toBe("--config-yaml:2:43: static_resources.clusters[1].type");
  expect(positions.locate(["static_resources", "clusters", 1, "name"])).toBe("--config-yaml:2:38");
  expect(positions.locate(["node", "cluster"])).toBe(`${path}:1:24`);
});

test("names the text that a problem is in when there are two", async () => {
  const path = file("two.yaml", "nod: {id: a}\n");
  expect(await problems({ path, yaml: "admin: {addres: x}" })).toEqual([
    '--config-yaml:1:9: admin.addres: unknown field "addres" in envoy.config.bootstrap.v3.Admin (did you mean "address"?)',
    '/two.yaml:1:1: nod: unknown field "nod" in envoy.config.bootstrap.v3.Bootstrap (did you mean "node"?)',
  ]);
  expect(await problems({ path: file("s.yaml", "a: [\n"), yaml: "b: }" })).toHaveLength(2);
});

test("a required field may come from --config-yaml", async () => {
  const path = file("half.yaml", "default_config_source: {path_config_source: {}}\n");
  expect(await problems({ path })).toEqual([
    '/half.yaml:1:45: default_config_source.path_config_source.path: not set, which is "": value length must be at least 1 characters',
  ]);
  const yaml = "default_config_source: {path_config_source: {path: /etc/lds.yaml}}";
  const { root } = await load({ path, yaml });
  const source = root.node("default_config_source")?.node("path_config_source");
  expect(source?.string("path")).toBe("/etc/lds.yaml");
});

test("with --allow-unknown-static-fields unknown fields and enum names are counted warnings", async () => {
  const loaded = await load({
    yaml: "static_resources: {clusters: [{name: a, typ: x, type: FOO, connect_timeout: 1s}]}",
    allowUnknownStaticFields: true,
  });
  expect(loaded.unknownFieldCount).toBe(2);
  expect(loaded.warnings.map((warning) => warning.path)).toEqual([
    "static_resources.clusters[0].typ",
    "static_resources.clusters[0].type",
  ]);
  const [cluster] = loaded.root.node("static_resources")?.nodes("clusters") ?? [];
  expect(cluster?.has("type")).toBe(false);
  expect(cluster?.fieldNames).toEqual(["name", "connect_timeout"]);
});

test("a field without its underscore is told in the form that files have", async () => {
  const [line] = await problems({ yaml: "static_resources: {}\nlayeredruntime: {}" });
  expect(line).toContain('unknown field "layeredruntime"');
  expect(line).toContain('(did you mean "layered_runtime"?)');
});

test("keeps the first hundred problems and counts the rest", async () => {
  const names = Array.from({ length: problemsMax + 7 }, (_, index) => `x${index}: 1`);
  const lines = await problems({ yaml: names.join("\n") });
  expect(lines).toHaveLength(problemsMax + 1);
  expect(lines.at(-1)).toBe("and 7 more");
});

test("finds positions through Any, TypedStruct, one object for a list, camelCase and merges", async () => {
  const path = fixture("edge.yaml");
  const { positions } = await load({ path });
  const chain = ["static_resources", "listeners", 0, "filter_chains", 0];
  const filters = [...chain, "filters", 0, "typed_config", "http_filters"];
  const at = (...segments: (string | number)[]): string =>
    positions.locate(segments).replace(`${path}:`, "");
  expect(at(...filters, 0, "typed_config", "suppress_envoy_headers")).toBe("36:78");
  expect(at("static_resources", "listeners", 1, "filter_chains", 0)).toBe("43:11");
  const tls = ["static_resources", "listeners", 1, "filter_chains", 0, "filters", 0];
  expect(at(...tls, "typed_config", "access_log", 0, "name")).toBe("61:25");
  // Merged from an anchor: shown where the value is written.
  expect(at("static_resources", "clusters", 1, "load_assignment", "endpoints")).toBe("108:9");
  expect(at("static_resources", "clusters", 7)).toBe("99:3");
  expect(at("no_such_field")).toBe("2:1");
});

test("finds positions in a Struct, below an Any and without one", async () => {
  const struct = '"@type": type.googleapis.com/google.protobuf.Struct';
  const any = `{name: x, typed_config: {${struct}, value: {a: [1, {b: 2}]}}}`;
  const yaml = `node: {id: a, cluster: b, metadata: {c: 3}}\nbootstrap_extensions:\n- ${any}\n`;
  const { positions } = await load({ yaml });
  expect(positions.locate(["node", "metadata", "c"])).toBe("--config-yaml:1:41");
  const value = ["bootstrap_extensions", 0, "typed_config", "value"];
  expect(positions.locate([...value, "a", 1, "b"])).toBe("--config-yaml:3:100");
  const list = positions.locate([...value, "a"]);
  expect(list).toBe("--config-yaml:3:92");
  expect(positions.locate([...value, "a", 7])).toBe(list);
  expect(positions.locate([...value, "a", "length"])).toBe(list);
});

test("reads a file of more than ten thousand lines whole", async () => {
  const clusters: string[] = [];
  for (let index = 0; index < 1000; index += 1) {
    clusters.push(
      `  - name: c${index}`,
      "    connect_timeout: 0.5s",
      "    type: STATIC",
      "    load_assignment:",
      `      cluster_name: c${index}`,
      "      endpoints:",
      "      - lb_endpoints:",
      "        - endpoint:",
      "            address:",
      "              socket_address:",
      "                address: 127.0.0.1",
      `                port_value: ${1000 + index}`,
    );
  }
  const text = `static_resources:\n  clusters:\n${clusters.join("\n")}\n`;
  const { root, positions } = await load({ path: file("large.yaml", text) });
  const nodes = root.node("static_resources")?.nodes("clusters") ?? [];
  expect(nodes).toHaveLength(1000);
  expect(nodes[999]?.string("name")).toBe("c999");
  expect(positions.locate(["static_resources", "clusters", 999, "name"])).toBe(
    `${join(folder, "large.yaml")}:11991:11`,
  );
});

test("a sample cut at any byte is read or refused, and nothing else", async () => {
  const text = [
    "node: {id: \"a\", metadata: {x: [1, 'b']}}",
    "static_resources:",
    "  clusters:",
    "  - name: c # comment",
    "    type: &t STATIC",
    "    metadata:",
    "      filter_metadata:",
    "        k: {note: |-",
    "    }",
    "  - name: d",
    "    type: *t",
    "admin:",
    "  access_log_path: >",
    "    /dev/null",
    "",
  ].join("\n");
  const samples = [text, JSON.stringify({ node: { id: "ä\n", metadata: { a: [1.5, null] } } })];
  for (const [index, sample] of samples.entries()) {
    for (let end = 0; end < sample.length; end += 1) {
      const path = file(index === 0 ? "cut.yaml" : "cut.json", sample.slice(0, end));
      // Throws what is not a ConfigErrors.
      for (const problem of await problems({ path })) expect(problem).toMatch(/^\/cut\.[a-z]+:\d/);
    }
  }
});
