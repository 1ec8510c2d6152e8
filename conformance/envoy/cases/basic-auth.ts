// The filter basic_auth: what is let through, and how the rest is answered.
import { createHash } from "node:crypto";
import {
  type Case,
  type ConfigCase,
  type Group,
  get,
  type JsonObject,
  one,
  request,
} from "../case.ts";
import { built, configCases, filter, filterConfig, ROUTER, typed } from "../native-filter.ts";

await built("basic_auth");

const NAME = "envoy.filters.http.basic_auth";

function user(name: string, password: string): string {
  return `${name}:{SHA}${createHash("sha1").update(password).digest("base64")}`;
}

function users(...lines: readonly string[]): JsonObject {
  return { users: { inline_string: lines.join("\n") } };
}

function auth(fields: JsonObject): JsonObject {
  return filter(NAME, typed("basic_auth.v3.BasicAuth", fields));
}

const USERS = users(user("ann", "secret"), user("bob", "pa:ss"), user("j\xf6rg", "\xfc"));

function route(path: string, fields: JsonObject | null): JsonObject {
  const own = fields && {
    typed_per_filter_config: { [NAME]: typed("basic_auth.v3.BasicAuthPerRoute", fields) },
  };
  return { match: { prefix: path }, route: { cluster: "up" }, ...own };
}

function site(fields: JsonObject, ...routes: readonly JsonObject[]): Group["sites"][string] {
  return {
    hcm: { http_filters: [auth({ ...USERS, ...fields }), ROUTER] },
    virtualHosts: [{ name: "all", domains: ["*"], routes: [...routes, route("/", null)] }],
  };
}

function basic(text: string): string {
  return `Authorization: Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}

function item(id: string, title: string, text: string, to?: string): Case {
  return { id: `basic-auth-${id}`, title, connections: one(text, to) };
}

const VALUES: readonly (readonly [string, string])[] = [
  ["right", basic("ann:secret")],
  ["colon-in-password", basic("bob:pa:ss")],
  ["utf8", basic("j\xf6rg:\xfc")],
  ["wrong-password", basic("ann:wrong")],
  ["empty-password", basic("ann:")],
  ["unknown", basic("eve:secret")],
  ["empty-user", basic(":secret")],
  ["empty-both", basic(":")],
  ["no-colon", basic("ann")],
  ["empty", "Authorization: Basic "],
  ["blank", "Authorization: Basic"],
  ["empty-value", "Authorization:"],
  ["lower-scheme", basic("ann:secret").replace("Basic", "basic")],
  ["upper-scheme", basic("ann:secret").replace("Basic", "BASIC")],
  ["bearer", "Authorization: Bearer x"],
  ["two-blanks", basic("ann:secret").replace("Basic ", "Basic  ")],
  ["trailing-blank", `${basic("ann:secret")} `],
  ["no-padding", basic("ann:secre").replace(/=+$/, "")],
  ["padding", basic("bob:pa:ss")],
  ["not-base64", "Authorization: Basic a!b"],
  ["base64url", "Authorization: Basic _-_-"],
  ["one-letter", "Authorization: Basic a"],
  ["zero-byte", basic("ann\0:secret")],
];

export const basicAuth: Group = {
  id: "basic-auth",
  title: "the filter basic_auth",
  stats: "basic_auth",
  sites: {
    main: site(
      {},
      route("/other", users(user("route", "r"))),
      route("/realm", { ...users(user("route", "r")), realm: "route realm" }),
      { match: { prefix: "/direct" }, direct_response: { status: 200 } },
      {
        match: { prefix: "/off" },
        route: { cluster: "up" },
        typed_per_filter_config: {
          [NAME]: filterConfig({ disabled: true }),
        },
      },
    ),
    forward: site({ forward_username_header: "X-User" }),
    header: site({ authentication_header: "X-Auth" }),
    missing: site({ allow_missing: true }),
    realm: site({ realm: 'a "realm"' }, route("/other", users(user("route", "r")))),
    metadata: {
      ...site({ emit_dynamic_metadata: true }),
      logFormat: {
        text_format_source: {
          inline_string: `%RESPONSE_CODE%|%DYNAMIC_METADATA(${NAME})%|%DYNAMIC_METADATA(${NAME}:username)%\n`,
        },
      },
    },
  },
  cases: [
    item("none", "no credentials", get("/")),
    ...VALUES.map(([id, line]) => item(id, `credentials: ${id}`, get("/a?b=1", line))),
    item("twice", "two lines", get("/", basic("ann:secret"), basic("bob:pa:ss"))),
    item("head", "HEAD without credentials", request("HEAD / HTTP/1.1")),
    item("post", "POST without credentials", request("POST / HTTP/1.1", "Content-Length: 0")),
    item(
      "grpc",
      "gRPC without credentials",
      request("POST /a.B/C HTTP/1.1", "Content-Type: application/grpc", "Content-Length: 0"),
    ),
    item("long-path", "a long path", get(`/${"x".repeat(400)}`)),
    item("query", "a query", get("/p?q=1#f")),
    item("quote", "a quote in the path", get('/a"b')),
    item("proto", "x-forwarded-proto of the client", get("/", "X-Forwarded-Proto: https")),
    item(
      "original-path",
      "x-envoy-original-path of the client",
      get("/", "X-Envoy-Original-Path: /orig"),
    ),
    item("port", "a port in Host", get("/", "Host: a.test:8080")),
    item("route", "a user of the route", get("/other", basic("route:r"))),
    item(
      "route-filter",
      "a user of the filter on a route with others",
      get("/other", basic("ann:secret")),
    ),
    item("route-outside", "a user of the route elsewhere", get("/", basic("route:r"))),
    item("route-realm", "the realm of a route", get("/realm")),
    item("direct", "a direct response", get("/direct")),
    item("direct-right", "a direct response with credentials", get("/direct", basic("ann:secret"))),
    item("off", "switched off", get("/off")),
    item("forward", "the name goes on", get("/", basic("ann:secret")), "forward"),
    item(
      "forward-replaces",
      "the name replaces the client's",
      get("/", basic("ann:secret"), "X-User: eve"),
      "forward",
    ),
    item(
      "header",
      "another header",
      get("/", basic("ann:secret").replace("Authorization", "X-Auth")),
      "header",
    ),
    item(
      "header-other",
      "the usual header where another counts",
      get("/", basic("ann:secret")),
      "header",
    ),
    item("missing", "none is allowed", get("/"), "missing"),
    item("missing-bad", "none is allowed, a wrong one is not", get("/", basic("ann:x")), "missing"),
    item(
      "missing-bearer",
      "none is allowed, another scheme",
      get("/", "Authorization: Bearer x"),
      "missing",
    ),
    item("missing-empty", "none is allowed, an empty one", get("/", "Authorization:"), "missing"),
    item("realm", "a realm of its own", get("/"), "realm"),
    item("realm-route", "a route without a realm", get("/other"), "realm"),
    item("metadata", "metadata in the log", get("/", basic("ann:secret")), "metadata"),
    item("metadata-denied", "no metadata of who is denied", get("/"), "metadata"),
  ].map((one) =>
    one.id.endsWith("-head")
      ? { ...one, connections: [{ send: [request("HEAD / HTTP/1.1")], head: true }] }
      : one,
  ),
};

const config = configCases("basic-auth", auth);

export const BASIC_AUTH_CONFIG_CASES: readonly ConfigCase[] = [
  config("plain", "a user", USERS),
  config("none", "no users", {}),
  config("empty", "an empty list", { users: { inline_string: "" } }),
  config("empty-lines", "empty lines", users("", user("a", "b"), "", "")),
  config("crlf", "CR LF", users(`${user("a", "b")}\r`, user("b", "b"))),
  config("comment", "a comment", users("# x", user("a", "b"))),
  config("no-colon", "no colon", users("ann")),
  config("no-name", "no name", users(user("", "b"))),
  config("no-hash", "no hash", users("ann:")),
  config("md5", "another hash", users("ann:$apr1$x$y")),
  config("plain-text", "a password", users("ann:secret")),
  config("short", "a short hash", users("ann:{SHA}abc=")),
  config("bad-base64", "a hash that is not base64", users("ann:{SHA}!!!!!!!!!!!!!!!!!!!!!!!!!!!=")),
  config("twice", "a name twice", users(user("a", "b"), user("a", "c"))),
  config("blanks", "blanks around a line", users(` ${user("a", "b")} `)),
  config("forward-bad", "a bad header name", { ...USERS, forward_username_header: "a b" }),
];
