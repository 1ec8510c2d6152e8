// Configurations of which Envoy refuses some (checks 43, 53, 62, 71): only yes or no is compared.
import type { ConfigCase, JsonObject, Site } from "../case.ts";

function direct(more: JsonObject): JsonObject {
  return { match: { prefix: "/" }, direct_response: { status: 200 }, ...more };
}

function routes(...list: readonly JsonObject[]): Site {
  return { virtualHosts: [{ name: "all", domains: ["*"], routes: list }] };
}

function headerAdd(value: string): Site {
  return routes(direct({ request_headers_to_add: [{ header: { key: "x-a", value } }] }));
}

function regex(text: string): Site {
  return routes({ match: { safe_regex: { regex: text } }, direct_response: { status: 200 } });
}

function log(format: string): Site {
  return { logFormat: { text_format_source: { inline_string: `${format}\n` } } };
}

const MERGE = `
static_resources:
  clusters:
  - <<: {connect_timeout: 1s, type: STATIC}
    name: up
admin: {address: {socket_address: {address: 127.0.0.1, port_value: $ADMIN}}}
`;

const ANCHOR = `
static_resources:
  clusters:
  - {name: a, connect_timeout: &t 1s, type: STATIC}
  - {name: b, connect_timeout: *t, type: STATIC}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: $ADMIN}}}
`;

const IGNORED = `
!ignore templates: {anything: goes}
static_resources: {}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: $ADMIN}}}
`;

function clusterText(fields: string): string {
  return `
static_resources:
  clusters:
  - {name: up, ${fields}}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: $ADMIN}}}
`;
}

function vhosts(...list: readonly JsonObject[]): Site {
  return { virtualHosts: list.map((host) => ({ routes: [], ...host })) };
}

export const CONFIG_CASES: readonly ConfigCase[] = [
  { id: "config-plain", title: "the base configuration", site: {} },
  { id: "config-empty", title: "an empty file", yaml: "{}\n" },
  { id: "config-unknown-field", title: "an unknown field", yaml: "{nonsense: 1}\n" },
  { id: "config-yaml-broken", title: "text that is no YAML", yaml: "a: [b\n" },
  { id: "config-merge-keys", title: "YAML merge keys", yaml: MERGE },
  { id: "config-anchors", title: "YAML anchors", yaml: ANCHOR },
  { id: "config-ignore-tag", title: "the !ignore tag", yaml: IGNORED },
  {
    id: "config-camel-case",
    title: "field names in camel case",
    yaml: clusterText("connectTimeout: 1s, type: STATIC"),
  },
  {
    id: "config-duration-odd",
    title: "a duration without a unit",
    yaml: clusterText("connect_timeout: 1, type: STATIC"),
  },
  {
    id: "config-duration-ms",
    title: "a duration in milliseconds",
    yaml: clusterText("connect_timeout: 100ms, type: STATIC"),
  },
  {
    id: "config-duration-zero",
    title: "connect_timeout: 0s breaks a field rule",
    yaml: clusterText("connect_timeout: 0s, type: STATIC"),
  },
  {
    id: "config-enum-unknown",
    title: "an unknown name of an enumeration",
    yaml: clusterText("type: NOWHERE"),
  },
  {
    id: "config-enum-number",
    title: "an enumeration by its number",
    yaml: clusterText("type: 0"),
  },
  {
    id: "config-number-as-text",
    title: "a number as text",
    yaml: clusterText('type: STATIC, per_connection_buffer_limit_bytes: "1024"'),
  },
  {
    id: "config-bool-as-text",
    title: "a truth value as text",
    yaml: clusterText('type: STATIC, ignore_health_on_host_removal: "true"'),
  },
  {
    id: "config-cluster-twice",
    title: "two clusters of one name",
    yaml: ANCHOR.replace("name: b", "name: a"),
  },
  { id: "config-operator-unknown", title: "an unknown operator", site: headerAdd("%NOPE%") },
  { id: "config-operator-open", title: "an operator without its end", site: headerAdd("%REQ(a)") },
  { id: "config-operator-no-argument", title: "REQ without a name", site: headerAdd("%REQ%") },
  { id: "config-log-unknown", title: "an unknown operator in a log", site: log("%NOPE%") },
  { id: "config-log-lone-percent", title: "a lone percent sign in a log", site: log("50% x") },
  { id: "config-regex-lookahead", title: "lookahead, which RE2 lacks", site: regex("/a(?=b)") },
  { id: "config-regex-backreference", title: "a back reference", site: regex("(a)\\1") },
  { id: "config-regex-broken", title: "a broken regular expression", site: regex("(") },
  { id: "config-regex-named-group", title: "a named group", site: regex("/(?P<x>a)") },
  {
    id: "config-body-4096",
    title: "a direct response of 4096 bytes",
    site: routes(
      direct({ direct_response: { status: 200, body: { inline_string: "a".repeat(4096) } } }),
    ),
  },
  {
    id: "config-body-4097",
    title: "a direct response of 4097 bytes",
    site: routes(
      direct({ direct_response: { status: 200, body: { inline_string: "a".repeat(4097) } } }),
    ),
  },
  {
    id: "config-cluster-unknown",
    title: "a route to an unknown cluster",
    site: routes({ match: { prefix: "/" }, route: { cluster: "nowhere" } }),
  },
  {
    id: "config-per-filter-unknown",
    title: "typed_per_filter_config of an unknown filter",
    site: routes(
      direct({
        typed_per_filter_config: {
          nowhere: {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
            config: { "@type": "type.googleapis.com/google.protobuf.Struct", value: {} },
          },
        },
      }),
    ),
  },
  {
    id: "config-domain-twice",
    title: "one domain in two virtual hosts",
    site: vhosts({ name: "a", domains: ["x"] }, { name: "b", domains: ["x"] }),
  },
  {
    id: "config-domain-star-twice",
    title: "two catch-all domains",
    site: vhosts({ name: "a", domains: ["*"] }, { name: "b", domains: ["*"] }),
  },
  {
    id: "config-vhost-name-twice",
    title: "two virtual hosts of one name",
    site: vhosts({ name: "a", domains: ["x"] }, { name: "a", domains: ["y"] }),
  },
  {
    id: "config-domain-empty",
    title: "an empty domain",
    site: vhosts({ name: "a", domains: [""] }),
  },
  { id: "config-domain-none", title: "no domains", site: vhosts({ name: "a", domains: [] }) },
  {
    id: "config-domain-star-inside",
    title: "a star in the middle of a domain",
    site: vhosts({ name: "a", domains: ["a*b"] }),
  },
  {
    id: "config-match-none",
    title: "a route without a match",
    site: routes({ match: {}, direct_response: { status: 200 } }),
  },
  {
    id: "config-action-none",
    title: "a route without an action",
    site: routes({ match: { prefix: "/" } }),
  },
  {
    id: "config-status-odd",
    title: "a direct response with status 99",
    site: routes(direct({ direct_response: { status: 99 } })),
  },
  {
    id: "config-weights-zero",
    title: "weighted clusters that sum up to 0",
    site: routes({
      match: { prefix: "/" },
      route: { weighted_clusters: { clusters: [{ name: "up", weight: 0 }] } },
    }),
  },
  {
    id: "config-two-rewrites",
    title: "prefix_rewrite beside regex_rewrite",
    site: routes({
      match: { prefix: "/" },
      route: {
        cluster: "up",
        prefix_rewrite: "/a",
        regex_rewrite: { pattern: { regex: "a" }, substitution: "b" },
      },
    }),
  },
  { id: "config-no-router", title: "no terminal filter", site: { hcm: { http_filters: [] } } },
  {
    id: "config-stat-prefix-none",
    title: "an empty stat_prefix",
    site: { hcm: { stat_prefix: "" } },
  },
  {
    id: "config-header-name-odd",
    title: "a header to add with an odd name",
    site: routes(direct({ request_headers_to_add: [{ header: { key: "a b", value: "c" } }] })),
  },
  {
    id: "config-add-host",
    title: "host among the headers to add",
    site: routes(direct({ request_headers_to_add: [{ header: { key: "host", value: "c" } }] })),
  },
  {
    id: "config-add-pseudo",
    title: ":authority among the headers to add",
    site: routes(
      direct({ request_headers_to_add: [{ header: { key: ":authority", value: "c" } }] }),
    ),
  },
  {
    id: "config-remove-host",
    title: "host among the headers to remove",
    site: routes(direct({ request_headers_to_remove: ["host"] })),
  },
  {
    id: "config-remove-pseudo",
    title: ":path among the headers to remove",
    site: routes(direct({ request_headers_to_remove: [":path"] })),
  },
  {
    id: "config-header-match-deprecated",
    title: "exact_match, which is deprecated",
    site: routes({
      match: { prefix: "/", headers: [{ name: "a", exact_match: "b" }] },
      direct_response: { status: 200 },
    }),
  },
];
