// Headers and paths that configuration changes, with command operators (checks 36-45).
import { cluster } from "../bootstrap.ts";
import { type Group, get, type Json, type JsonObject, one, reply } from "../case.ts";

function add(key: string, value: string, action?: string): JsonObject {
  const base: JsonObject = { header: { key, value } };
  return action === undefined ? base : { ...base, append_action: action };
}

function route(path: string, action: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    name: path.slice(1),
    match: { prefix: path },
    route: { cluster: "up", ...action },
    ...more,
  };
}

const OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD";

/** Each operator in a header of its own, upstream and downstream. */
const COMMANDS: readonly (readonly [string, string])[] = [
  ["x-literal", "50%% plain"],
  ["x-req", "%REQ(User-Agent)%"],
  ["x-req-missing", "%REQ(X-Missing)%"],
  ["x-req-or", "%REQ(X-Missing?Host)%"],
  ["x-req-cut", "%REQ(User-Agent):3%"],
  ["x-req-path", "%REQ(:PATH)%"],
  ["x-req-method", "%REQ(:METHOD)%"],
  ["x-req-authority", "%REQ(:AUTHORITY)%"],
  ["x-req-scheme", "%REQ(:SCHEME)%"],
  ["x-protocol", "%PROTOCOL%"],
  ["x-remote", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"],
  ["x-direct", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"],
  ["x-local", "%DOWNSTREAM_LOCAL_ADDRESS%"],
  ["x-local-port", "%DOWNSTREAM_LOCAL_PORT%"],
  ["x-route", "%ROUTE_NAME%"],
  ["x-cluster", "%UPSTREAM_CLUSTER%"],
  ["x-flags", "%RESPONSE_FLAGS%"],
  ["x-env", "%ENVIRONMENT(HEADGATE_NO_SUCH_VARIABLE)%"],
  ["x-mixed", "a-%REQ(X-One)%-b-%PROTOCOL%-c"],
  ["x-path-wq", "%PATH(NQ)%"],
  ["x-query", "%QUERY_PARAM(q)%"],
];

const RESPONSE_COMMANDS: readonly (readonly [string, string])[] = [
  ["x-code", "%RESPONSE_CODE%"],
  ["x-details", "%RESPONSE_CODE_DETAILS%"],
  ["x-host", "%UPSTREAM_HOST%"],
  ["x-resp", "%RESP(X-Up)%"],
  ["x-agent", "%REQ(User-Agent)%"],
  ["x-cluster", "%UPSTREAM_CLUSTER%"],
  ["x-attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"],
];

function adds(list: readonly (readonly [string, string])[]): Json {
  return list.map(([key, value]) => add(key, value));
}

function levels(name: string, action?: string): JsonObject {
  return {
    request_headers_to_add: [add("x-level", name, action)],
    response_headers_to_add: [add("x-level", name, action)],
  };
}

/** The same header at all four levels. */
function fourLevels(action: string | undefined, specificWins: boolean): Group["sites"][string] {
  return {
    routeConfig: {
      ...levels("global", action),
      most_specific_header_mutations_wins: specificWins,
    },
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        ...levels("vhost", action),
        routes: [
          {
            match: { prefix: "/" },
            ...levels("route", action),
            route: {
              weighted_clusters: {
                clusters: [{ name: "up", weight: 1, ...levels("weighted", action) }],
              },
            },
          },
        ],
      },
    ],
  };
}

const ACTION_NAMES = [
  "APPEND_IF_EXISTS_OR_ADD",
  "ADD_IF_ABSENT",
  OVERWRITE,
  "OVERWRITE_IF_EXISTS",
] as const;

const ROUTES: readonly JsonObject[] = [
  route(
    "/commands",
    {},
    {
      request_headers_to_add: adds(COMMANDS),
      response_headers_to_add: adds(RESPONSE_COMMANDS),
    },
  ),
  ...ACTION_NAMES.map((action) =>
    route(
      `/${action.toLowerCase()}`,
      {},
      {
        request_headers_to_add: [add("x-there", "new", action), add("x-new", "new", action)],
        response_headers_to_add: [add("x-there", "new", action), add("x-new", "new", action)],
      },
    ),
  ),
  route(
    "/remove",
    {},
    {
      request_headers_to_remove: ["x-gone", "user-agent", "x-request-id"],
      response_headers_to_remove: ["x-gone", "server", "date", "x-envoy-upstream-service-time"],
    },
  ),
  route(
    "/empty-value",
    {},
    {
      request_headers_to_add: [
        add("x-e", "%REQ(X-Missing)%"),
        { ...add("x-k", ""), keep_empty_value: true },
      ],
    },
  ),
  route(
    "/append-known",
    {},
    {
      request_headers_to_add: [add("x-forwarded-for", "9.9.9.9"), add("user-agent", "more")],
      response_headers_to_add: [add("server", "mine"), add("content-type", "a/b", OVERWRITE)],
    },
  ),
  route("/api/", { prefix_rewrite: "/" }),
  route("/same", { prefix_rewrite: "/same" }),
  route("/join", { prefix_rewrite: "/j/" }),
  route("/rx/", {
    regex_rewrite: { pattern: { regex: "/rx/([^/]+)/(.*)" }, substitution: "/\\2/\\1" },
  }),
  route("/host-literal", { host_rewrite_literal: "new.local" }),
  route("/host-from-header", { host_rewrite_header: "x-to" }),
  route("/host-from-path", {
    host_rewrite_path_regex: {
      pattern: { regex: "^/host-from-path/(\\w+).*$" },
      substitution: "\\1.local",
    },
  }),
  route("/forward-host", { host_rewrite_literal: "new.local", append_x_forwarded_host: true }),
  route("/proper", { cluster: "proper" }),
  route("/preserve", { cluster: "preserve" }),
  route("/", {}),
];

const REWRITES: readonly (readonly [name: string, target: string])[] = [
  ["api-x", "/api/x?y=1"],
  ["api-slash", "/api/"],
  ["same-x", "/same/x"],
  ["join-x", "/join/x"],
  ["join", "/join"],
  ["rx-a-b", "/rx/a/b?c=1"],
  ["rx-a", "/rx/a"],
];

function upstreamOptions(options: JsonObject): JsonObject {
  return {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http_protocol_options: options },
      },
    },
  };
}

const PRESERVE: JsonObject = {
  header_key_format: {
    stateful_formatter: {
      name: "preserve_case",
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3." +
          "PreserveCaseFormatterConfig",
      },
    },
  },
};

const SUPPRESSED: JsonObject = {
  http_filters: [
    {
      name: "envoy.filters.http.router",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        suppress_envoy_headers: true,
      },
    },
  ],
};

export const mutation: Group = {
  id: "mutation",
  title: "header and path changes",
  clusters: [
    cluster(
      "proper",
      ["$up:up"],
      upstreamOptions({ header_key_format: { proper_case_words: {} } }),
    ),
    cluster("preserve", ["$up:up"], upstreamOptions(PRESERVE)),
  ],
  sites: {
    main: { virtualHosts: [{ name: "all", domains: ["*"], routes: ROUTES }] },
    levels: fourLevels(undefined, false),
    levels_overwrite: fourLevels(OVERWRITE, false),
    levels_specific: fourLevels(undefined, true),
    levels_specific_overwrite: fourLevels(OVERWRITE, true),
    attempts: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          include_request_attempt_count: true,
          include_attempt_count_in_response: true,
          routes: [
            {
              match: { prefix: "/" },
              route: { cluster: "up", retry_policy: { retry_on: "5xx", num_retries: 1 } },
            },
          ],
        },
      ],
    },
    suppressed: { hcm: SUPPRESSED },
    preserve: {
      hcm: { http_protocol_options: PRESERVE },
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "preserve" } }],
        },
      ],
    },
  },
  cases: [
    {
      id: "commands",
      title: "command operators in headers (check 43)",
      connections: one(get("/commands/x?q=7", "User-Agent: probe", "X-One: 1")),
      replies: [reply("201 Created", "x", "X-Up: u")],
    },
    {
      id: "commands-local-reply",
      title: "response headers of a route on a reply of the proxy itself",
      connections: one(get("/commands", "User-Agent: probe")),
      replies: [{ steps: [], after: "close" }],
    },
    ...ACTION_NAMES.map((action) => ({
      id: `add-${action.toLowerCase().replaceAll("_", "-")}`,
      title: `append_action ${action}`,
      connections: one(get(`/${action.toLowerCase()}`, "X-There: old", "X-There: older")),
      replies: [reply("200 OK", "x", "X-There: old")],
    })),
    {
      id: "remove-headers",
      title: "headers to remove (check 44)",
      connections: one(get("/remove", "X-Gone: 1", "User-Agent: u", "X-Gone: 2", "X-Stays: 3")),
      replies: [reply("200 OK", "x", "X-Gone: 1", "X-Stays: 2")],
    },
    {
      id: "add-empty-value",
      title: "an added header whose value is empty",
      connections: one(get("/empty-value")),
    },
    {
      id: "add-known",
      title: "appending to headers that the proxy knows",
      connections: one(get("/append-known", "User-Agent: u", "X-Forwarded-For: 1.1.1.1")),
      replies: [reply("200 OK", "x", "Content-Type: text/plain", "Server: s")],
    },
    ...(
      ["levels", "levels_overwrite", "levels_specific", "levels_specific_overwrite"] as const
    ).map((site) => ({
      id: `add-${site.replaceAll("_", "-")}`,
      title: `one header at all four levels: ${site} (check 42)`,
      connections: one(get("/", "X-Level: client"), site),
      replies: [reply("200 OK", "x", "X-Level: up")],
    })),
    ...REWRITES.map(([name, target]) => ({
      id: `rewrite-${name}`,
      title: `rewrite of ${target} (check 40)`,
      connections: one(get(target)),
    })),
    {
      id: "host-rewrite-literal",
      title: "host_rewrite_literal (check 41)",
      connections: one(get("/host-literal", "Host: old.local:80")),
    },
    {
      id: "host-rewrite-header",
      title: "host_rewrite_header",
      connections: one(get("/host-from-header", "X-To: to.local")),
    },
    {
      id: "host-rewrite-header-missing",
      title: "host_rewrite_header without that header",
      connections: one(get("/host-from-header")),
    },
    {
      id: "host-rewrite-path",
      title: "host_rewrite_path_regex",
      connections: one(get("/host-from-path/abc/d?e")),
    },
    {
      id: "host-rewrite-forwarded",
      title: "append_x_forwarded_host (check 41)",
      connections: one(get("/forward-host", "Host: old.local", "X-Forwarded-Host: first")),
    },
    {
      id: "attempt-count",
      title: "attempt counts both ways (check 39)",
      connections: one(get("/"), "attempts"),
    },
    {
      id: "attempt-count-retried",
      title: "attempt counts after a retry (check 39)",
      connections: one(get("/"), "attempts"),
      replies: [reply("500 Internal Server Error", "no")],
    },
    {
      id: "suppress-envoy-headers",
      title: "suppress_envoy_headers (check 37)",
      connections: one(get("/"), "suppressed"),
    },
    {
      id: "case-proper-upstream",
      title: "proper_case_words upstream (check 45)",
      connections: one(get("/proper", "x-FOO-bar: 1", "etag: 2")),
    },
    {
      id: "case-preserve-upstream-only",
      title: "preserve_case upstream only (check 45)",
      connections: one(get("/preserve", "x-FOO-bar: 1")),
    },
    {
      id: "case-preserve",
      title: "preserve_case on both sides (check 45)",
      connections: one(get("/", "x-FOO-bar: 1", "X-foo-BAR: 2"), "preserve"),
      replies: [reply("200 OK", "x", "X-rEply: 1", "Content-TYPE: a/b")],
    },
  ],
};
