import { expect, test } from "vitest";
import { loadBootstrap } from "./bootstrap-loader.ts";
import { ConfigErrors } from "./config-error.ts";
import { boundsText, brokenBound, durationText } from "./field-rule-bounds.ts";
import { brokenString } from "./field-rule-strings.ts";
import { type Rule, RuleSchema } from "./rule-schema.ts";
import { Schema } from "./schema.ts";

const schema = Schema.open();

async function problems(yaml: string): Promise<string[]> {
  try {
    await loadBootstrap({ yaml, allowUnknownStaticFields: false, schema });
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

const cluster = (fields: string): string => `static_resources: {clusters: [{${fields}}]}`;
const route = (fields: string): string =>
  cluster(
    `name: a, typed_extension_protocol_options: {x: {"@type": a/envoy.config.route.v3.RouteConfiguration, virtual_hosts: [{name: v, domains: ["*"], routes: [{${fields}}]}]}}`,
  );
const routePath =
  'static_resources.clusters[0].typed_extension_protocol_options["x"].virtual_hosts[0].routes[0]';
const clusterPath = "static_resources.clusters[0]";

test("reports broken rules with Envoy's own text of the constraint", async () => {
  const ok = "match: {prefix: /}, direct_response: {status: 200}";
  const cases: [string, string][] = [
    [
      cluster(""),
      `${clusterPath}.name: not set, which is "": value length must be at least 1 characters`,
    ],
    [
      cluster("name: a, connect_timeout: 0s"),
      `${clusterPath}.connect_timeout: found 0s: value must be greater than 0s`,
    ],
    [
      cluster("name: a, type: 99"),
      `${clusterPath}.type: found 99: value must be one of the defined enum values`,
    ],
    [
      cluster("name: a, outlier_detection: {max_ejection_percent: 101}"),
      `${clusterPath}.outlier_detection.max_ejection_percent: found 101: value must be less than or equal to 100`,
    ],
    [
      cluster("name: a, common_lb_config: {healthy_panic_threshold: {value: 101}}"),
      `${clusterPath}.common_lb_config.healthy_panic_threshold.value: found 101: value must be inside range [0, 100]`,
    ],
    [
      cluster("name: a, ring_hash_lb_config: {minimum_ring_size: 8388609}"),
      `${clusterPath}.ring_hash_lb_config.minimum_ring_size: found 8388609: value must be less than or equal to 8388608`,
    ],
    [
      "stats_flush_interval: 300s",
      "stats_flush_interval: found 300s: value must be inside range [1ms, 5m0s)",
    ],
    ["stats_flush_on_admin: false", "stats_flush_on_admin: found false: value must equal true"],
    [
      route("match: {prefix: /}, direct_response: {status: 99}"),
      `${routePath}.direct_response.status: found 99: value must be inside range [200, 600)`,
    ],
    [route("direct_response: {status: 200}"), `${routePath}.match: not set: value is required`],
    [
      route("match: {prefix: /}"),
      `${routePath}.action: not set: one of route, redirect, direct_response, filter_action, non_forwarding_action (field: "action", reason: is required)`,
    ],
    [
      route(`${ok}, response_headers_to_add: [{header: {key: "a\\n", value: x}}]`),
      `${routePath}.response_headers_to_add[0].header.key: found "a\\n": value does not match regex pattern "^[^\\x00\\n\\r]*$"`,
    ],
    [
      route(`${ok}, request_headers_to_remove: [""]`),
      `${routePath}.request_headers_to_remove[0]: found "": value length must be at least 1 characters`,
    ],
    [
      route("match: {path_separated_prefix: /a/}, direct_response: {status: 200}"),
      `${routePath}.match.path_separated_prefix: found "/a/": value does not match regex pattern "^[^?#]+[^?#/]$"`,
    ],
    [
      cluster(
        "name: a, health_checks: [{timeout: 1s, interval: 1s, healthy_threshold: 1, unhealthy_threshold: 1, http_health_check: {path: /, method: CONNECT}}]",
      ),
      `${clusterPath}.health_checks[0].http_health_check.method: found "CONNECT": value must not be in list [6]`,
    ],
    [cluster("name: a, load_assignment: {cluster_name: a, named_endpoints: {e: ~}}"), ""],
  ];
  for (const [yaml, problem] of cases) {
    expect([yaml, (await problems(yaml)).join("\n")]).toEqual([yaml, problem]);
  }
});

test("rules of a oneof's fields bind only the field that is set", async () => {
  const ok = "direct_response: {status: 200}";
  expect(await problems(route(`match: {prefix: /}, ${ok}`))).toEqual([]);
  expect(await problems(route(`match: {safe_regex: {regex: ""}}, ${ok}`))).toEqual([
    `${routePath}.match.safe_regex.regex: found "": value length must be at least 1 characters`,
  ]);
});

test("a value that could not be read is not reported a second time as missing", async () => {
  expect(await problems(cluster("name: [x]"))).toEqual([
    `${clusterPath}.name: found a list, expected a string`,
  ]);
});

test("minimum and maximum, required and repeated rules of one message are all reported", async () => {
  const found = await problems(cluster("name: a, health_checks: [{}]"));
  expect(found.map((line) => line.replace(`${clusterPath}.health_checks[0].`, ""))).toEqual([
    "timeout: not set: value is required",
    "interval: not set: value is required",
    "unhealthy_threshold: not set: value is required",
    "healthy_threshold: not set: value is required",
    'health_checker: not set: one of http_health_check, tcp_health_check, grpc_health_check, custom_health_check (field: "health_checker", reason: is required)',
  ]);
});

test("bounds are compared and put into words as Envoy does", () => {
  const broken = (rule: Rule, value: number | bigint): string | undefined =>
    brokenBound(rule, value, (bound) => bound as number | bigint, String);
  expect(broken({ gte: 1, lte: 3 }, 1)).toBeUndefined();
  expect(broken({ gte: 1, lte: 3 }, 4)).toBe("value must be inside range [1, 3]");
  expect(broken({ gt: 0, lt: 65_536 }, 0)).toBe("value must be inside range (0, 65536)");
  expect(broken({ gt: 10, lt: 5 }, 7)).toBe("value must be outside range (10, 5)");
  expect(broken({ gt: 10, lt: 5 }, 11)).toBeUndefined();
  expect(broken({ gt: 3 }, 3)).toBe("value must be greater than 3");
  expect(broken({ gte: 3n }, 2)).toBe("value must be greater than or equal to 3");
  expect(broken({ lt: 3 }, 3n)).toBe("value must be less than 3");
  expect(broken({ lte: 3 }, 4)).toBe("value must be less than or equal to 3");
  expect(broken({ const: 3n }, 3)).toBeUndefined();
  expect(broken({ const: 3 }, 4)).toBe("value must equal 3");
  expect(broken({ in: [1, 2] }, 3)).toBe("value must be in list [1 2]");
  expect(broken({ not_in: [1, 2] }, 2)).toBe("value must not be in list [1 2]");
  expect(boundsText(1, undefined, "item(s)")).toBe("at least 1 item(s)");
  expect(boundsText(undefined, 2, "item(s)")).toBe("no more than 2 item(s)");
  expect(boundsText(2, 2, "item(s)")).toBe("exactly 2 item(s)");
  expect(boundsText(1, 2, "item(s)")).toBe("between 1 and 2 items, inclusive");
  expect(boundsText(0, 9, "bytes")).toBe("between 0 and 9 bytes, inclusive");
});

test("durations are written as Go writes them", () => {
  const cases: [bigint, string][] = [
    [0n, "0s"],
    [1n, "1ns"],
    [1500n, "1.5µs"],
    [1_000_000n, "1ms"],
    [5_000_000_000n, "5s"],
    [300_000_000_000n, "5m0s"],
    [43_200_000_000_000n, "12h0m0s"],
    [4_294_967_296_000_000_000n, "1193046h28m16s"],
  ];
  for (const [nanos, text] of cases) expect(durationText(nanos)).toBe(text);
});

test("string rules in valid and invalid space", () => {
  const cases: [Rule, string, string | undefined][] = [
    [{ min_len: 2n }, "ä", "value length must be at least 2 characters"],
    [{ max_len: 1n }, "😀", undefined],
    [{ max_bytes: 3n }, "😀", "value length must be at most 3 bytes"],
    [{ len: 2n }, "abc", "value length must be 2 characters"],
    [{ min_len: 1n, ignore_empty: true }, "", undefined],
    [{ const: "a" }, "b", 'value must equal "a"'],
    [{ prefix: "%" }, "a", 'value does not have prefix "%"'],
    [{ suffix: "%" }, "%a", 'value does not have suffix "%"'],
    [{ contains: "b" }, "a", 'value does not contain substring "b"'],
    [{ not_contains: "a" }, "a", 'value contains substring "a"'],
    [{ in: ["http", "https"] }, "ftp", "value must be in list [http https]"],
    [{ not_in: ["a"] }, "a", "value must not be in list [a]"],
    [
      { well_known_regex: 1 },
      "",
      'value does not match regex pattern "^:?[0-9a-zA-Z!#$%&\'*+-.^_|~`]+$"',
    ],
    [{ well_known_regex: 1, strict: false }, "", undefined],
    [{ well_known_regex: 1 }, ":path", undefined],
    [
      { well_known_regex: 2 },
      "a\u0007",
      'value does not match regex pattern "^[^\\x00-\\b\\n-\\x1f\\x7f]*$"',
    ],
    [{ well_known_regex: 2, strict: false }, "a\u0007", undefined],
    [
      { well_known_regex: 2, strict: false },
      "a\r",
      'value does not match regex pattern "^[^\\x00\\n\\r]*$"',
    ],
  ];
  for (const [rule, text, problem] of cases) {
    expect([rule, text, brokenString(rule, text)]).toEqual([rule, text, problem]);
  }
  expect(brokenString({ min_len: 2n }, new Uint8Array(1))).toBe(
    "value length must be at least 2 bytes",
  );
});

test("every kind of rule in the descriptor set is one that is interpreted", () => {
  const known = new Set([
    ..."message string bytes enum bool duration repeated map any timestamp".split(" "),
    ..."float double int32 int64 uint32 uint64 required skip items keys values".split(" "),
    ..."min_len max_len max_bytes prefix suffix pattern in not_in const strict".split(" "),
    ..."well_known_regex ignore_empty defined_only gt gte lt lte min_items max_items".split(" "),
    ..."unique min_pairs seconds nanos".split(" "),
  ]);
  const rules = new RuleSchema(schema);
  const unknown = new Set<string>();
  const collect = (rule: Rule): void => {
    for (const [name, value] of Object.entries(rule)) {
      if (!known.has(name)) unknown.add(name);
      if (typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array)) {
        collect(value);
      }
    }
  };
  let count = 0;
  for (const name of schema.typeNames()) {
    if (!name.startsWith("envoy.")) continue;
    for (const { kind, rule } of rules.rulesOf(schema.requireMessage(name)).fields) {
      count += 1;
      if (kind !== "" && !known.has(kind)) unknown.add(kind);
      collect(rule);
    }
  }
  expect([...unknown]).toEqual([]);
  expect(count).toBeGreaterThan(700);
});
