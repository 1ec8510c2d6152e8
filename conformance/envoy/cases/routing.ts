// Choice of virtual host, route and cluster (checks 50-60).
import { type Group, get, type JsonObject, one } from "../case.ts";

/** A route that answers with its own name: what matched is then in the body. */
function named(name: string, match: JsonObject): JsonObject {
  return { name, match, direct_response: { status: 200, body: { inline_string: name } } };
}

function host(name: string, domains: readonly string[], ...routes: JsonObject[]): JsonObject {
  const all = routes.length > 0 ? routes : [named(name, { prefix: "/" })];
  return { name, domains, routes: all };
}

function header(name: string, more: JsonObject): JsonObject {
  return { prefix: "/", headers: [{ name, ...more }] };
}

function requests(
  site: string,
  prefix: string,
  list: readonly (readonly [target: string, ...lines: string[]])[],
): Group["cases"] {
  return list.map(([target, ...lines], at) => ({
    id: `${prefix}-${at + 1}`,
    title: [prefix, target, ...lines].join(" | "),
    connections: one(get(target, ...lines), site),
  }));
}

const HEADER_ROUTES: readonly JsonObject[] = [
  named("exact", header("x-exact", { string_match: { exact: "v" } })),
  named("prefix", header("x-prefix", { string_match: { prefix: "ab" } })),
  named("suffix", header("x-suffix", { string_match: { suffix: "yz" } })),
  named("contains", header("x-contains", { string_match: { contains: "mid", ignore_case: true } })),
  named("regex", header("x-regex", { string_match: { safe_regex: { regex: "a+b" } } })),
  named("range", header("x-range", { range_match: { start: 3, end: 7 } })),
  named("present", header("x-present", { present_match: true })),
  named("method", header(":method", { string_match: { exact: "GET" } })),
];

export const routing: Group = {
  id: "routing",
  title: "virtual hosts, matchers, clusters",
  sites: {
    main: {
      virtualHosts: [
        host("exact", ["a.b"]),
        host("suffix-long", ["*.x.b"]),
        host("suffix", ["*.b"]),
        host("prefix", ["a.*"]),
        host("prefix-long", ["a.b.*"]),
        host("port", ["c.d:81"]),
        host("upper", ["UPPER.case"]),
        host("rest", ["*"]),
      ],
    },
    none: { virtualHosts: [host("only", ["only.local"], named("x", { path: "/x" }))] },
    paths: {
      virtualHosts: [
        host(
          "all",
          ["*"],
          named("exact", { path: "/exact" }),
          named("exact-any-case", { path: "/Case", case_sensitive: false }),
          named("prefix", { prefix: "/pre" }),
          named("regex", { safe_regex: { regex: "/f[0-9]+" } }),
          named("separated", { path_separated_prefix: "/api" }),
          named("first", { prefix: "/twice" }),
          named("second", { prefix: "/twice/more" }),
          named("query-exact", {
            prefix: "/q",
            query_parameters: [{ name: "a", string_match: { exact: "1" } }],
          }),
          named("query-present", {
            prefix: "/q",
            query_parameters: [{ name: "b", present_match: true }],
          }),
          named("never", {
            prefix: "/fraction",
            runtime_fraction: { default_value: { numerator: 0 } },
          }),
          named("always", {
            prefix: "/fraction",
            runtime_fraction: { default_value: { numerator: 100 } },
          }),
          named("grpc", { prefix: "/grpc", grpc: {} }),
          named("query-absent", {
            prefix: "/absent",
            query_parameters: [{ name: "b", present_match: false }],
          }),
          named("query-any", { prefix: "/absent" }),
          named("query-unspecified", { prefix: "/named", query_parameters: [{ name: "b" }] }),
        ),
      ],
    },
    headers: { virtualHosts: [host("all", ["*"], ...HEADER_ROUTES)] },
    headers_odd: {
      virtualHosts: [
        host(
          "all",
          ["*"],
          named("invert", header("x-a", { string_match: { exact: "1" }, invert_match: true })),
          named("absent", header("x-b", { present_match: false })),
          named("empty", {
            prefix: "/",
            headers: [
              { name: "x-c", string_match: { exact: "" }, treat_missing_header_as_empty: true },
            ],
          }),
          named("rest", { prefix: "/" }),
        ),
      ],
    },
    ports: {
      virtualHosts: [host("h", ["h.local"]), host("rest", ["*"])],
      routeConfig: { ignore_port_in_host_matching: true },
    },
    clusters: {
      routeConfig: { validate_clusters: false },
      virtualHosts: [
        host(
          "all",
          ["*"],
          { name: "nowhere", match: { path: "/nowhere" }, route: { cluster: "nowhere" } },
          {
            name: "nowhere-404",
            match: { path: "/nowhere-404" },
            route: { cluster: "nowhere", cluster_not_found_response_code: "NOT_FOUND" },
          },
          {
            name: "nowhere-500",
            match: { path: "/nowhere-500" },
            route: { cluster: "nowhere", cluster_not_found_response_code: "INTERNAL_SERVER_ERROR" },
          },
          { name: "by-header", match: { path: "/h" }, route: { cluster_header: "x-cluster" } },
          {
            name: "all-first",
            match: { path: "/w" },
            route: {
              weighted_clusters: {
                clusters: [
                  { name: "other", weight: 100 },
                  { name: "up", weight: 0 },
                ],
              },
            },
          },
          {
            name: "by-number",
            match: { path: "/wh" },
            route: {
              weighted_clusters: {
                header_name: "x-number",
                clusters: [
                  { name: "up", weight: 60 },
                  { name: "other", weight: 40 },
                ],
              },
            },
          },
        ),
      ],
    },
  },
  cases: [
    ...requests("main", "vhost", [
      ["/", "Host: a.b"],
      ["/", "Host: A.B"],
      ["/", "Host: q.b"],
      ["/", "Host: q.x.b"],
      ["/", "Host: x.b"],
      ["/", "Host: .b"],
      ["/", "Host: b"],
      ["/", "Host: a.c"],
      ["/", "Host: a.b.c"],
      ["/", "Host: a.b:80"],
      ["/", "Host: c.d"],
      ["/", "Host: c.d:81"],
      ["/", "Host: upper.CASE"],
      ["/", "Host: z"],
    ] as const),
    ...requests("none", "no-route", [
      ["/", "Host: z"],
      ["/y", "Host: only.local"],
      ["/x", "Host: only.local"],
    ] as const),
    ...requests("paths", "path-match", [
      ["/exact"],
      ["/exact?q=1"],
      ["/exact/"],
      ["/EXACT"],
      ["/cAsE"],
      ["/prefix/x"],
      ["/f12"],
      ["/f12?q"],
      ["/f12x"],
      ["/f"],
      ["/api"],
      ["/api/x"],
      ["/api?x"],
      ["/apix"],
      ["/twice/more"],
      ["/q?a=1"],
      ["/q?a=2&a=1"],
      ["/q?a=2"],
      ["/q?b"],
      ["/q?b="],
      ["/q?c=%61"],
      ["/q?a=%31"],
      ["/fraction"],
      ["/grpc", "Content-Type: application/grpc"],
      ["/grpc", "Content-Type: application/grpc+proto"],
      ["/grpc", "Content-Type: application/grpcx"],
      ["/absent"],
      ["/absent?b"],
      ["/absent?b="],
      ["/absent?b=1"],
      ["/absent?a=b&bb=1"],
      ["/named?b=1"],
      ["/named?a=1"],
    ] as const),
    ...requests("headers", "header-match", [
      ["/", "X-Exact: v"],
      ["/", "X-Exact: V"],
      ["/", "X-Exact: w", "X-Exact: v"],
      ["/", "X-Prefix: abc"],
      ["/", "X-Suffix: xyz"],
      ["/", "X-Contains: aMIDb"],
      ["/", "X-Regex: aab"],
      ["/", "X-Regex: aabc"],
      ["/", "X-Range: 3"],
      ["/", "X-Range: 7"],
      ["/", "X-Range: 3x"],
      ["/", "X-Range: -3"],
      ["/", "X-Present:"],
    ] as const),
    ...requests("headers_odd", "header-match-odd", [
      ["/"],
      ["/", "X-A: 1"],
      ["/", "X-A: 1", "X-B: 1"],
      ["/", "X-A: 1", "X-B: 1", "X-C: 1"],
      ["/", "X-A: 2", "X-B: 1"],
    ] as const),
    ...requests("ports", "ignore-port", [
      ["/", "Host: h.local:99"],
      ["/", "Host: h.local"],
    ] as const),
    ...requests("clusters", "cluster", [
      ["/nowhere"],
      ["/nowhere-404"],
      ["/nowhere-500"],
      ["/h"],
      ["/h", "X-Cluster: other"],
      ["/h", "X-Cluster: nowhere"],
      ["/w"],
      ["/wh", "X-Number: 0"],
      ["/wh", "X-Number: 59"],
      ["/wh", "X-Number: 60"],
      ["/wh", "X-Number: 159"],
      ["/wh", "X-Number: 260"],
    ] as const),
    {
      id: "grpc-no-route",
      title: "a gRPC request to nowhere is 200 with grpc-status (check 27)",
      connections: one(get("/y", "Host: only.local", "Content-Type: application/grpc"), "none"),
    },
    {
      id: "vhost-switch-on-connection",
      title: "two hosts on one connection",
      connections: [
        {
          send: [get("/", "Host: a.b"), { awaitText: "exact" }, get("/", "Host: a.c")],
          responses: 2,
        },
      ],
    },
  ],
};
