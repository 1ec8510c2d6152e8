// cors, basic_auth and header_mutation configured by routes that come by RDS from a file: what a table
// of the connection manager's own says (cors.ts, basic-auth.ts, header-mutation.ts) holds there, too.
import { createHash } from "node:crypto";
import { type Case, type Group, get, type JsonObject, one, reply, request } from "../case.ts";
import { built, filter, filterConfig, ROUTER, typed } from "../native-filter.ts";

await built("cors");
await built("basic_auth");
await built("header_mutation");

const CORS = "envoy.filters.http.cors";
const AUTH = "envoy.filters.http.basic_auth";
const MUTATION = "envoy.filters.http.header_mutation";

function users(name: string, password: string): JsonObject {
  const hash = createHash("sha1").update(password).digest("base64");
  return { users: { inline_string: `${name}:{SHA}${hash}` } };
}

function add(key: string, value: string): JsonObject {
  return { append: { header: { key, value } } };
}

const policy = (origin: string, fields: JsonObject = {}): JsonObject => ({
  [CORS]: typed("cors.v3.CorsPolicy", {
    allow_origin_string_match: [{ exact: origin }],
    allow_methods: "GET,PUT",
    ...fields,
  }),
});
const mutation = (level: string): JsonObject => ({
  [MUTATION]: typed("header_mutation.v3.HeaderMutationPerRoute", {
    mutations: {
      request_mutations: [add("x-level", level), add("x-path", "%REQ(:PATH)%")],
      response_mutations: [add("x-level", level)],
    },
  }),
});
const auth = (name: string, password: string): JsonObject => ({
  [AUTH]: typed("basic_auth.v3.BasicAuthPerRoute", users(name, password)),
});
const open: JsonObject = { [AUTH]: filterConfig({ disabled: true }) };

function route(prefix: string, ...configs: readonly JsonObject[]): JsonObject {
  const typed_per_filter_config = Object.assign({}, ...configs) as JsonObject;
  return { match: { prefix }, route: { cluster: "up" }, typed_per_filter_config };
}

const TABLE: JsonObject = {
  "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  name: "table",
  typed_per_filter_config: mutation("table"),
  virtual_hosts: [
    {
      name: "own",
      domains: ["own.test"],
      typed_per_filter_config: { ...policy("http://host.test"), ...mutation("host"), ...open },
      routes: [
        route("/policy", policy("http://route.test", { max_age: "60" })),
        route("/user", auth("eve", "apple")),
        route("/change", mutation("route")),
        route("/"),
      ],
    },
    { name: "rest", domains: ["*"], routes: [route("/open", open), route("/")] },
  ],
};

function basic(text: string): string {
  return `Authorization: Basic ${Buffer.from(text).toString("base64")}`;
}

function preflight(path: string, origin: string): string {
  const asked = "Access-Control-Request-Method: PUT";
  return request(`OPTIONS ${path} HTTP/1.1`, "Host: own.test", `Origin: ${origin}`, asked);
}

const own = (path: string, ...lines: readonly string[]): string =>
  get(path, "Host: own.test", ...lines);

const TEXTS: Readonly<Record<string, string>> = {
  "host-policy": own("/", "Origin: http://host.test"),
  "host-other-origin": own("/", "Origin: http://route.test"),
  "host-preflight": preflight("/", "http://host.test"),
  "route-policy": own("/policy", "Origin: http://route.test"),
  "route-policy-host-origin": own("/policy", "Origin: http://host.test"),
  "route-preflight": preflight("/policy", "http://route.test"),
  "no-policy": get("/open", "Origin: http://host.test"),
  "filter-user": get("/", basic("ann:secret")),
  "filter-no-user": get("/"),
  "route-user": own("/user", basic("eve:apple")),
  "route-filter-user": own("/user", basic("ann:secret")),
  "user-and-policy": own("/user", "Origin: http://host.test"),
  open: get("/open"),
  "route-change": own("/change"),
};

const CASES: readonly Case[] = Object.entries(TEXTS).map(([id, text]) => ({
  id: `filter-routes-${id}`,
  title: `by RDS: ${id.replaceAll("-", " ")}`,
  connections: one(text),
  replies: [reply("200 OK", "ok", "x-level: upstream")],
}));

export const filterRoutes: Group = {
  id: "filter-routes",
  title: "cors, basic_auth and header_mutation by routes of RDS",
  bootstrap: { node: { id: "node", cluster: "cluster" } },
  files: { "rds.yaml": JSON.stringify({ version_info: "1", resources: [TABLE] }) },
  sites: {
    main: {
      hcm: {
        route_config: null,
        rds: {
          route_config_name: "table",
          config_source: {
            resource_api_version: "V3",
            path_config_source: { path: "$DIR/rds.yaml" },
          },
        },
        http_filters: [
          filter(CORS, typed("cors.v3.Cors")),
          filter(AUTH, typed("basic_auth.v3.BasicAuth", users("ann", "secret"))),
          filter(MUTATION, typed("header_mutation.v3.HeaderMutation")),
          ROUTER,
        ],
      },
    },
  },
  cases: CASES,
};
