// The filter cors: which origins are allowed, what preflights and responses say, how the policies of
// table, virtual host, route and weighted cluster go together.
import {
  type Case,
  type Connection,
  type Group,
  get,
  type JsonObject,
  one,
  reply,
  request,
} from "../case.ts";
import { built, filter, filterConfig, ROUTER, typed } from "../native-filter.ts";

await built("cors");

const NAME = "envoy.filters.http.cors";
const CORS = filter(NAME, typed("cors.v3.Cors"));

function policy(fields: JsonObject): JsonObject {
  return { typed_per_filter_config: { [NAME]: typed("cors.v3.CorsPolicy", fields) } };
}

function route(path: string, fields: JsonObject | null, more: JsonObject = {}): JsonObject {
  return {
    match: { prefix: path },
    route: { cluster: "up" },
    ...(fields === null ? {} : policy(fields)),
    ...more,
  };
}

const A: JsonObject = { exact: "http://a.test" };
const FULL: JsonObject = {
  allow_origin_string_match: [
    A,
    { prefix: "http://pre." },
    { suffix: ".end" },
    { contains: "MID" },
    { exact: "HTTP://CASE.test", ignore_case: true },
    { safe_regex: { regex: "https?://[a-z]+\\.re\\.test" } },
  ],
  allow_methods: "GET,PUT",
  allow_headers: "x-a, x-b",
  expose_headers: "x-c",
  max_age: "600",
  allow_credentials: true,
};
const percent = (numerator: number, key = ""): JsonObject => ({
  default_value: { numerator, denominator: "HUNDRED" },
  ...(key === "" ? {} : { runtime_key: key }),
});

const ROUTES: readonly JsonObject[] = [
  route("/full", FULL),
  route("/any", { allow_origin_string_match: [{ exact: "*" }] }),
  route("/any-regex", { allow_origin_string_match: [{ safe_regex: { regex: ".*" } }] }),
  route("/plain", { allow_origin_string_match: [A], allow_credentials: false, allow_methods: "*" }),
  route("/no-origins", { allow_methods: "GET" }),
  route("/none", null),
  route("/off", { ...FULL, filter_enabled: percent(0) }),
  route("/shadow", { ...FULL, filter_enabled: percent(0), shadow_enabled: percent(100) }),
  route("/both", { ...FULL, filter_enabled: percent(100), shadow_enabled: percent(100) }),
  route("/key", { ...FULL, filter_enabled: percent(0, "cors.key") }),
  route("/keyed-off", { ...FULL, filter_enabled: percent(100, "cors.off") }),
  route("/strict", { ...FULL, forward_not_matching_preflights: false }),
  route("/private", { ...FULL, allow_private_network_access: true }),
  route("/not-private", { ...FULL, allow_private_network_access: false }),
  route("/disabled", null, {
    typed_per_filter_config: {
      [NAME]: filterConfig({ disabled: true }),
    },
  }),
  route("/wrapped", null, {
    typed_per_filter_config: {
      [NAME]: filterConfig({ config: typed("cors.v3.CorsPolicy", FULL) }),
    },
  }),
  {
    match: { prefix: "/weighted" },
    ...policy({ allow_methods: "ROUTE", max_age: "1" }),
    route: {
      weighted_clusters: {
        clusters: [{ name: "up", weight: 1, ...policy({ allow_methods: "WEIGHTED" }) }],
      },
    },
  },
  route("/stars", { ...FULL, allow_methods: "*", allow_headers: "*", expose_headers: "*" }),
  route("/free-stars", {
    allow_origin_string_match: [A],
    allow_methods: "*",
    allow_headers: "*",
    expose_headers: "*",
    max_age: "*",
  }),
  route("/star-list", {
    allow_origin_string_match: [A],
    allow_methods: "GET,*",
    allow_headers: "*,a",
  }),
  { match: { prefix: "/redirect" }, redirect: { path_redirect: "/x" }, ...policy(FULL) },
  { match: { prefix: "/direct" }, direct_response: { status: 200 }, ...policy(FULL) },
];

const OUTER: Group["sites"][string] = {
  hcm: { http_filters: [CORS, ROUTER] },
  routeConfig: policy({ allow_origin_string_match: [A], allow_headers: "table", max_age: "9" }),
  virtualHosts: [
    {
      name: "all",
      domains: ["*"],
      ...policy({ allow_headers: "host", expose_headers: "host", allow_credentials: true }),
      routes: [
        route("/inner", { allow_methods: "ROUTE", allow_credentials: false }),
        { match: { prefix: "/direct" }, direct_response: { status: 200 } },
        { match: { prefix: "/redirect" }, redirect: { path_redirect: "/x" } },
        route("/off", { filter_enabled: percent(0) }),
        route("/other-origins", { allow_origin_string_match: [{ exact: "http://b.test" }] }),
        ...ROUTES.filter((one) => JSON.stringify(one).includes("weighted")),
        route("/", null),
      ],
    },
  ],
};

const ORIGIN = "Origin: http://a.test";
const PREFLIGHT = [ORIGIN, "Access-Control-Request-Method: PUT"] as const;

function options(path: string, ...lines: readonly string[]): string {
  return request(`OPTIONS ${path} HTTP/1.1`, ...lines);
}

function item(id: string, title: string, text: string, site?: string): Case {
  return { id: `cors-${id}`, title, connections: one(text, site) };
}

const PATHS = ROUTES.map((one) => {
  const match = one["match"] as { readonly prefix: string };
  return match.prefix.slice(1);
});

const ORIGINS: readonly string[] = [
  "http://a.test",
  "http://A.test",
  "http://a.test.evil",
  "http://pre.x",
  "x.http://pre.",
  "http://x.end",
  "http://x.end.",
  "aMIDb",
  "amidb",
  "http://case.TEST",
  "https://abc.re.test",
  "https://abc.re.test.evil",
  "xhttps://abc.re.test",
  "null",
  "*",
  "http://a.test,http://b.test",
  "http://\xe9.test",
];

const two: readonly Connection[] = [
  { send: [options("/full", ...PREFLIGHT) + get("/full", ORIGIN)], responses: 2 },
];

export const cors: Group = {
  id: "cors",
  title: "the filter cors",
  stats: "cors",
  bootstrap: {
    layered_runtime: {
      layers: [
        { name: "static", static_layer: { "cors.key": 100, "cors.off": 0 } },
        { name: "admin", admin_layer: {} },
      ],
    },
  },
  sites: {
    main: {
      hcm: { http_filters: [CORS, ROUTER] },
      virtualHosts: [{ name: "all", domains: ["*"], routes: ROUTES }],
    },
    outer: OUTER,
    outer_off: {
      hcm: { http_filters: [CORS, ROUTER] },
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          ...policy({
            allow_origin_string_match: [A],
            filter_enabled: percent(0),
            shadow_enabled: percent(100),
            allow_methods: "host",
          }),
          routes: [route("/inner", { allow_headers: "ROUTE" }), route("/", null)],
        },
      ],
    },
  },
  cases: [
    ...PATHS.map((path) =>
      item(`simple-${path}`, "a request of an allowed origin", get(`/${path}`, ORIGIN)),
    ),
    ...PATHS.map((path) =>
      item(
        `preflight-${path}`,
        "a preflight of an allowed origin",
        options(`/${path}`, ...PREFLIGHT),
      ),
    ),
    ...["full", "strict", "off", "shadow", "any"].flatMap((path) => [
      item(`other-${path}`, "another origin", get(`/${path}`, "Origin: http://evil.test")),
      item(
        `other-preflight-${path}`,
        "a preflight of another origin",
        options(`/${path}`, "Origin: http://evil.test", "Access-Control-Request-Method: PUT"),
      ),
    ]),
    ...ORIGINS.map((origin, at) =>
      item(`origin-${at + 1}`, `the origin ${origin}`, get("/full", `Origin: ${origin}`)),
    ),
    item("no-origin", "no origin", get("/full")),
    item("empty-origin", "an empty origin", get("/full", "Origin:")),
    item("two-origins", "two origins", get("/full", ORIGIN, "Origin: http://evil.test")),
    item("options", "OPTIONS without a method asked for", options("/full", ORIGIN)),
    item(
      "options-empty",
      "OPTIONS with an empty method asked for",
      options("/full", ORIGIN, "Access-Control-Request-Method:"),
    ),
    item("post", "a method asked for, but no OPTIONS", request("GET /full HTTP/1.1", ...PREFLIGHT)),
    ...["private", "not-private", "full"].map((path) =>
      item(
        `private-${path}`,
        "a preflight for a private network",
        options(`/${path}`, ...PREFLIGHT, "Access-Control-Request-Private-Network: true"),
      ),
    ),
    ...["stars", "free-stars", "star-list", "full"].flatMap((path) => [
      item(
        `asks-headers-${path}`,
        "a preflight that asks for headers",
        options(`/${path}`, ...PREFLIGHT, "Access-Control-Request-Headers: x-q, X-R"),
      ),
      item(
        `asks-nothing-${path}`,
        "a preflight that asks for empty headers",
        options(`/${path}`, ...PREFLIGHT, "Access-Control-Request-Headers:"),
      ),
    ]),
    item(
      "private-false",
      "the private network is said to be false",
      options("/private", ...PREFLIGHT, "Access-Control-Request-Private-Network: false"),
    ),
    {
      id: "cors-upstream-sets",
      title: "the upstream has set the headers itself",
      connections: one(get("/full", ORIGIN)),
      replies: [
        reply(
          "200 OK",
          "ok",
          "Access-Control-Allow-Origin: *",
          "Access-Control-Expose-Headers: x-up",
          "Access-Control-Allow-Methods: UP",
          "Vary: x",
        ),
      ],
    },
    {
      id: "cors-upstream-fails",
      title: "an error of the upstream has the headers, too",
      connections: one(get("/full", ORIGIN)),
      replies: [reply("503 Service Unavailable", "no")],
    },
    { id: "cors-pipelined", title: "a preflight and what it asked for", connections: two },
    ...["/inner", "/off", "/other-origins", "/weighted", "/rest", "/direct", "/redirect"].flatMap(
      (path) => [
        item(
          `outer-simple${path.replace("/", "-")}`,
          "policies around",
          get(path, ORIGIN),
          "outer",
        ),
        item(
          `outer-preflight${path.replace("/", "-")}`,
          "policies around, a preflight",
          options(path, ...PREFLIGHT),
          "outer",
        ),
      ],
    ),
    ...["/inner", "/rest"].map((path) =>
      item(
        `outer-off${path.replace("/", "-")}`,
        "switched off around",
        options(path, ...PREFLIGHT),
        "outer_off",
      ),
    ),
    {
      id: "cors-runtime",
      title: "the runtime switches it on",
      adminPost: "/runtime_modify?cors.off=100",
      connections: one(options("/keyed-off", ...PREFLIGHT)),
    },
    {
      ...item("head", "HEAD", request("HEAD /full HTTP/1.1", ORIGIN)),
      connections: [{ send: [request("HEAD /full HTTP/1.1", ORIGIN)], head: true }],
    },
  ],
};
