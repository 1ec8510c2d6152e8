// The filter header_mutation: changes of headers, trailers and queries, by filter, table, virtual
// host, route and weighted cluster, in front of the router and behind it.
import {
  type Case,
  type ConfigCase,
  type Group,
  get,
  type JsonObject,
  one,
  reply,
  request,
} from "../case.ts";
import { ROUTER_TYPE } from "../bootstrap.ts";
import { built, configCases, filter, ROUTER, typed } from "../native-filter.ts";

await built("header_mutation");

const NAME = "envoy.filters.http.header_mutation";

function add(key: string, value: string, action = "", more: JsonObject = {}): JsonObject {
  const how = action === "" ? {} : { append_action: action };
  return { append: { header: { key, value }, ...how, ...more } };
}

function mutation(mutations: JsonObject, more: JsonObject = {}): JsonObject {
  return filter(NAME, typed("header_mutation.v3.HeaderMutation", { mutations, ...more }));
}

function level(mutations: JsonObject): JsonObject {
  return {
    typed_per_filter_config: {
      [NAME]: typed("header_mutation.v3.HeaderMutationPerRoute", { mutations }),
    },
  };
}

function route(path: string, mutations: JsonObject | null, more: JsonObject = {}): JsonObject {
  return {
    match: { prefix: path },
    route: { cluster: "up" },
    ...(mutations === null ? {} : level(mutations)),
    ...more,
  };
}

const ADD = "APPEND_IF_EXISTS_OR_ADD";
const ABSENT = "ADD_IF_ABSENT";
const OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD";
const EXISTS = "OVERWRITE_IF_EXISTS";
const ACTIONS = [ADD, ABSENT, OVERWRITE, EXISTS] as const;

/** Each action on a header that is there and one that is not. */
const EACH: readonly JsonObject[] = ACTIONS.flatMap((action, at) => [
  add(`x-there-${at}`, "new", action),
  add(`x-absent-${at}`, "new", action),
]);

const FORMATS: readonly JsonObject[] = [
  add("x-agent", "%REQ(User-Agent)%", OVERWRITE),
  add("x-none", "%REQ(x-none-such)%"),
  add("x-kept", "%REQ(x-none-such)%", "", { keep_empty_value: true }),
  add("x-empty", ""),
  add("x-empty-kept", "", "", { keep_empty_value: true }),
  add("x-percent", "50%% of"),
  add("x-mixed", "a %PROTOCOL% b %REQ(:METHOD)%"),
  add("x-first", "1"),
  add("x-second", "%REQ(x-first)%2"),
  add("x-cluster", "%UPSTREAM_CLUSTER%"),
  add("x-route", "%ROUTE_NAME%"),
];

const match = (key_matcher: JsonObject): JsonObject => ({ remove_on_match: { key_matcher } });

function parameter(key: string, value: string, action = ADD): JsonObject {
  return { append: { record: { key, value }, action } };
}

const ROUTES: readonly JsonObject[] = [
  route("/each", { request_mutations: EACH, response_mutations: EACH }),
  route("/formats", {
    request_mutations: FORMATS,
    response_mutations: [...FORMATS, add("x-code", "%RESPONSE_CODE%"), add("x-up", "%RESP(X-Up)%")],
  }),
  route("/remove", {
    request_mutations: [{ remove: "x-A" }, { remove: "x-none" }, { remove: "user-agent" }],
    response_mutations: [{ remove: "x-up" }, { remove: "server" }, { remove: "content-length" }],
  }),
  route("/matched", {
    request_mutations: [
      match({ prefix: "x-p" }),
      match({ suffix: "-end" }),
      match({ exact: "x-exact" }),
      match({ contains: "MID", ignore_case: true }),
      match({ safe_regex: { regex: "x-r[0-9]+" } }),
    ],
    response_mutations: [match({ prefix: "x-" })],
  }),
  route("/order", {
    request_mutations: [add("x-a", "1"), { remove: "x-a" }, add("x-a", "2"), add("x-a", "3")],
  }),
  route("/older", {
    request_mutations: [
      add("x-a", "app", "", { append: true }),
      add("x-b", "over", "", { append: false }),
    ],
  }),
  route("/raw", {
    request_mutations: [{ append: { header: { key: "x-raw", raw_value: "4pyT" } } }],
  }),
  route("/case", { request_mutations: [add("X-CaSe", "v"), add("x-case", "w")] }),
  route("/length", { request_mutations: [add("content-type", "text/x", OVERWRITE)] }),
  route("/cookie", {
    request_mutations: [
      add("cookie", "b=2"),
      add("accept", "b"),
      add("x-forwarded-for", "1.1.1.1"),
    ],
    response_mutations: [add("set-cookie", "b=2"), add("vary", "b"), add("location", "b")],
  }),
  route("/query", {
    query_parameter_mutations: [
      parameter("a", "new"),
      parameter("b", "new", ABSENT),
      parameter("c", "new", OVERWRITE),
      parameter("d", "new", EXISTS),
      { remove: "gone" },
      parameter("f", "%REQ(x-a)%"),
      parameter("p", "a b&c%%"),
    ],
  }),
  route("/keeps-query", { query_parameter_mutations: [{ remove: "none" }] }),
  route("/trailers", {
    request_trailers_mutations: [add("x-t", "new"), { remove: "x-gone" }],
    response_trailers_mutations: [add("x-t", "new"), { remove: "x-gone" }],
  }),
  {
    match: { prefix: "/direct" },
    direct_response: { status: 200 },
    ...level({ response_mutations: [add("x-direct", "1")] }),
  },
  route("/new-route", { request_mutations: [add("x-target", "other", OVERWRITE)] }),
  route("/switched", null, { match: { prefix: "/", headers: [{ name: "x-target" }] } }),
  route("/none", null),
];

const FILTER = mutation({
  request_mutations: [add("x-filter", "request")],
  response_mutations: [add("x-filter", "response")],
});

const say = (name: string): JsonObject => ({
  request_mutations: [add("x-level", name), add("x-over", name, OVERWRITE)],
  response_mutations: [add("x-level", name), add("x-over", name, OVERWRITE)],
  query_parameter_mutations: [parameter("level", name), parameter("over", name, OVERWRITE)],
});

function levels(wins: boolean): Group["sites"][string] {
  const own = mutation(say("filter"), { most_specific_header_mutations_wins: wins });
  return {
    hcm: { http_filters: [own, ROUTER] },
    routeConfig: level(say("table")),
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        ...level(say("host")),
        routes: [
          {
            match: { prefix: "/weighted" },
            ...level(say("route")),
            route: {
              weighted_clusters: {
                clusters: [{ name: "up", weight: 1, ...level(say("cluster")) }],
              },
            },
          },
          route("/route", say("route")),
          route("/", null),
        ],
      },
    ],
  };
}

const THERE = [0, 1, 2, 3].map((at) => `X-There-${at}: old`);

function item(id: string, title: string, text: string, to?: string): Case {
  return { id: `header-mutation-${id}`, title, connections: one(text, to) };
}

const CHUNKED_TRAILERS = "2\r\nhi\r\n0\r\nX-Gone: 1\r\nX-Here: 1\r\n\r\n";

export const headerMutation: Group = {
  id: "header-mutation",
  title: "the filter header_mutation",
  sites: {
    main: {
      hcm: {
        http_filters: [FILTER, ROUTER],
        http_protocol_options: { enable_trailers: true },
      },
      virtualHosts: [{ name: "all", domains: ["*"], routes: ROUTES }],
    },
    outer: levels(false),
    inner: levels(true),
    upstream: {
      hcm: {
        http_filters: [
          {
            name: "envoy.filters.http.router",
            typed_config: {
              "@type": ROUTER_TYPE,
              upstream_http_filters: [
                mutation({
                  request_mutations: [add("x-behind", "%REQ(:PATH)%"), { remove: "x-a" }],
                  response_mutations: [add("x-behind", "%RESPONSE_CODE%")],
                }),
                {
                  name: "envoy.filters.http.upstream_codec",
                  typed_config: typed("upstream_codec.v3.UpstreamCodec"),
                },
              ],
            },
          },
        ],
      },
    },
  },
  cases: [
    ...["/each", "/formats", "/remove", "/order", "/older", "/raw", "/case"].map(
      (path): Case => ({
        ...item(
          path.slice(1),
          `changes of ${path}`,
          get(`${path}?q=1`, "User-Agent: ua", "X-A: 0", "X-B: 0", ...THERE),
        ),
        replies: [reply("200 OK", "ok", "X-Up: 1", ...THERE)],
      }),
    ),
    {
      ...item(
        "matched",
        "removed by their names",
        get(
          "/matched",
          "X-P1: 1",
          "X-P2: 1",
          "X-Ap: 1",
          "A-End: 1",
          "X-Exact: 1",
          "X-Exactly: 1",
          "A-mid-B: 1",
          "X-R12: 1",
          "X-R: 1",
          "X-R1x: 1",
        ),
      ),
      replies: [reply("200 OK", "ok", "X-Up: 1", "X-Down: 2", "Y: 3")],
    },
    {
      ...item(
        "cookie",
        "headers that may be lists",
        get("/cookie", "Cookie: a=1", "Accept: a", "X-Forwarded-For: 9.9.9.9"),
      ),
      replies: [reply("200 OK", "ok", "Set-Cookie: a=1", "Vary: a", "Location: a")],
    },
    item(
      "length",
      "a body",
      request("POST /length HTTP/1.1", "Content-Length: 2", "Content-Type: a/b") + "hi",
    ),
    ...[
      "/query",
      "/query?",
      "/query?a=1&b=1&c=1&d=1&e=1&gone=1",
      "/query?c=1&c=2&d=1&d=2&gone=1&gone=2",
      "/query?z=%20+%2B%26&y=%e4&x",
      "/query?=1&&a==b&k=v=w",
      "/query?%61=enc",
      "/keeps-query?b=2&a=1&x=%20+&y",
      "/keeps-query",
      "/keeps-query?none=1",
      "/keeps-query?none",
    ].map((path, at) => item(`query-${at + 1}`, `the query of ${path}`, get(path, "X-A: va&l"))),
    {
      ...item(
        "trailers",
        "trailers both ways",
        `${request("POST /trailers HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: x-gone")}${CHUNKED_TRAILERS}`,
      ),
      replies: [
        { steps: [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKED_TRAILERS}`] },
      ],
    },
    item("direct", "a direct response", get("/direct")),
    item("new-route", "the route stays when its path changes", get("/new-route")),
    item("none", "the filter alone", get("/none")),
    item("not-found", "no route", get("/nothing")),
    item(
      "local-reply",
      "an answer of the proxy",
      request("POST /each HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 3"),
    ),
    ...["outer", "inner"].flatMap((to) =>
      ["/weighted?a=1", "/route", "/rest"].map((path) =>
        item(`${to}-${path.replace(/\W/g, "")}`, "levels", get(path, "X-Level: client"), to),
      ),
    ),
    item("upstream", "behind the router", get("/a?b", "X-A: 1"), "upstream"),
    item("upstream-two", "two answers behind the router", get("/a") + get("/b"), "upstream"),
  ].map((one) =>
    one.id.endsWith("upstream-two")
      ? { ...one, connections: one.connections.map((c) => ({ ...c, responses: 2 })) }
      : one,
  ),
};

const config = configCases("header-mutation", mutation);

export const HEADER_MUTATION_CONFIG_CASES: readonly ConfigCase[] = [
  config("plain", "a header", { request_mutations: EACH }),
  config("empty", "nothing", {}),
  config("no-action", "a mutation of nothing", { request_mutations: [{}] }),
  config("no-header", "no header", { request_mutations: [{ append: {} }] }),
  config("no-key", "no name", { request_mutations: [add("", "v")] }),
  config("bad-key", "a bad name", { request_mutations: [add("a\nb", "v")] }),
  config("bad-format", "a bad format", { request_mutations: [add("a", "%NOPE%")] }),
  config("open-format", "an open format", { request_mutations: [add("a", "%REQ(")] }),
  config("bad-value", "a line feed in a value", { request_mutations: [add("a", "b\nc")] }),
  config("remove-path", "no path any more", { request_mutations: [{ remove: ":path" }] }),
  config("remove-host", "no host any more", { request_mutations: [{ remove: "host" }] }),
  ...[":path", ":method", ":authority", ":scheme", ":status", "host", "Host", ":x"].flatMap(
    (key, at) => [
      config(`pseudo-request-${at}`, `${key} of requests`, {
        request_mutations: [add(key, "v", OVERWRITE)],
      }),
      config(`pseudo-response-${at}`, `${key} of responses`, {
        response_mutations: [add(key, "v")],
      }),
      config(`remove-${at}`, `${key} is removed`, { request_mutations: [{ remove: key }] }),
      config(`trailer-${at}`, `${key} as a trailer`, {
        request_trailers_mutations: [add(key, "v")],
      }),
    ],
  ),
  config("remove-empty", "no name", { request_mutations: [{ remove: "" }] }),
  config("no-matcher", "no matcher", { request_mutations: [{ remove_on_match: {} }] }),
  config("bad-regex", "a bad expression", {
    request_mutations: [match({ safe_regex: { regex: "(" } })],
  }),
  config("query-empty", "no parameter", { query_parameter_mutations: [{}] }),
  config("query-no-record", "no record", { query_parameter_mutations: [{ append: {} }] }),
  config("query-both", "removed and added", {
    query_parameter_mutations: [{ ...parameter("a", "b"), remove: "c" }],
  }),
  config("query-entry", "the older entry", {
    query_parameter_mutations: [{ append: { entry: { key: "a", value: "Yg==" } } }],
  }),
  config("query-number", "a number", {
    query_parameter_mutations: [{ append: { record: { key: "a", value: 1 } } }],
  }),
];
