// Wasm filters between the router and the upstream: which callbacks come when, what they see, and
// what becomes of their answers. The guest is runtime/test/guests/assembly/script.ts.
import { compileGuest } from "../../../runtime/test/guests/compile.ts";
import { cluster, ROUTER_TYPE } from "../bootstrap.ts";
import {
  type Case,
  type Group,
  get,
  type JsonObject,
  one,
  post,
  reply,
  request,
  type Site,
} from "../case.ts";

const TYPE = "type.googleapis.com/";
const FILTERS = `${TYPE}envoy.extensions.filters.http`;
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const GUEST: string = Buffer.from(await compileGuest("script")).toString("base64");

export const CODEC: JsonObject = {
  name: "envoy.filters.http.upstream_codec",
  typed_config: { "@type": `${FILTERS}.upstream_codec.v3.UpstreamCodec` },
};

let guests = 0;

/** The scripted guest as a filter, with a VM of its own; `more` is laid over its plugin. */
export function guest(name: string, lines: readonly string[], more: JsonObject = {}): JsonObject {
  guests += 1;
  const value = [...lines, `unused ${guests}`].join("\n");
  const configuration = { "@type": `${TYPE}google.protobuf.StringValue`, value };
  const code = { local: { inline_bytes: GUEST } };
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code, configuration };
  return {
    name,
    typed_config: { "@type": `${FILTERS}.wasm.v3.Wasm`, config: { name, vm_config, ...more } },
  };
}

export function router(...filters: readonly JsonObject[]): JsonObject {
  const typed_config = { "@type": ROUTER_TYPE, upstream_http_filters: filters };
  return { name: "envoy.filters.http.router", typed_config };
}

export function options(...filters: readonly JsonObject[]): JsonObject {
  const explicit = { http_protocol_options: {} };
  return {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": TYPE + HTTP_OPTIONS,
        explicit_http_config: explicit,
        http_filters: filters,
      },
    },
  };
}

function routes(...list: readonly JsonObject[]): Pick<Site, "virtualHosts"> {
  return { virtualHosts: [{ name: "all", domains: ["*"], routes: list }] };
}

function route(to: string, more: JsonObject = {}, beside: JsonObject = {}): JsonObject {
  return { name: to, match: { prefix: "/" }, route: { cluster: to, ...more }, ...beside };
}

/** Sites whose router has one filter that does this. */
function scripts(all: Readonly<Record<string, readonly string[]>>): Record<string, Site> {
  return Object.fromEntries(
    Object.entries(all).map(([name, lines]) => [name, site([guest("u", lines)])]),
  );
}

function site(filters: readonly JsonObject[], more: Site = {}, before: JsonObject[] = []): Site {
  return { hcm: { http_filters: [...before, router(...filters, CODEC)] }, ...more };
}

/** Property paths are joined by NUL. */
function property(path: string): string {
  return `get_property ${path.replaceAll(".", "%00")}`;
}

const SEEN = [
  "upstream.address",
  "xds.cluster_name",
  "xds.route_name",
  "xds.listener_direction",
  "plugin_name",
  "request.path",
  "response.code",
  "upstream.transport_failure_reason",
].map(property);

const FORBIDDEN = "send_local_response 403 no%20way stop x-why=guest -1";
const CALL = "http_call other :method=GET,:path=/call,:authority=call.local  ~ 1000";
const PAUSE = "return 1";
/** Of its VM: the root context is 1. */
const FIRST_STREAM = "set_effective_context 2";
const CONTINUE_REQUEST = "continue_stream 0";
const CONTINUE_RESPONSE = "continue_stream 1";

function on(callback: string, operations: readonly string[]): string[] {
  return operations.map((operation) => `${callback} ${operation}`);
}

/** Headers of an upstream's connection. */
const HOPS: readonly string[] = on(
  "response_headers",
  ["keep-alive", "connection", "proxy-connection"].map((name) => `get_header_map_value 2 ${name}`),
);

/** on_request_headers may hold the headers and still get the body. */
const STOPS: JsonObject = { allow_on_headers_stop_iteration: true };
const SWITCH = `${TYPE}envoy.config.route.v3.FilterConfig`;

const sites: Record<string, Site> = {
  ...scripts({
    main: [],
    seen: [
      ...on("request_headers", [
        ...SEEN,
        "get_header_map_value 0 x-envoy-expected-rq-timeout-ms",
        property("upstream.local_address"),
      ]),
      ...on("response_headers", [
        property("response.code"),
        property("response.code_details"),
        property("upstream.local_address"),
        "get_header_map_value 2 x-envoy-upstream-service-time",
        "get_header_map_value 0 x-a",
      ]),
      ...on("log", [property("response.code"), "get_header_map_value 0 :path"]),
    ],
    headers: [
      ...on("request_headers", [
        "add_header_map_value 0 x-up 1",
        "replace_header_map_value 0 :path /elsewhere",
        "replace_header_map_value 0 :authority else.local",
        "remove_header_map_value 0 x-gone",
      ]),
      ...on("response_headers", [
        "add_header_map_value 2 x-down 1",
        "replace_header_map_value 2 :status 202",
        property("response.code"),
      ]),
    ],
    body: on("request_body", ["get_buffer_bytes 0 0 100"]),
    bodyresponse: [
      ...on("response_body", ["get_buffer_bytes 1 0 100"]),
      "response_body#1 set_buffer_bytes 1 0 100 OK",
    ],
    trailers: [
      "request_trailers add_header_map_value 1 x-t 1",
      "response_trailers add_header_map_value 3 x-t 2",
    ],
    replyrequest: [`request_headers ${FORBIDDEN}`],
    replybody: [`request_body ${FORBIDDEN}`],
    replyresponse: [`response_headers ${FORBIDDEN}`],
    replyresponsebody: [`response_body ${FORBIDDEN}`],
    pauserequest: [
      ...on("request_headers", [CALL, PAUSE]),
      ...on("http_call_response", [FIRST_STREAM, CONTINUE_REQUEST]),
    ],
    pauseresponse: [
      ...on("response_headers", [CALL, PAUSE]),
      ...on("http_call_response", [FIRST_STREAM, CONTINUE_RESPONSE]),
    ],
    pausereply: [
      ...on("request_headers", [CALL, PAUSE]),
      ...on("http_call_response", [FIRST_STREAM, FORBIDDEN]),
    ],
    removepath: ["request_headers remove_header_map_value 0 :path"],
    removestatus: ["response_headers remove_header_map_value 2 :status"],
    closerequest: ["request_headers close_stream 0"],
    closeresponse: ["response_headers close_stream 1"],
    metadata: ["request_headers set_property kept yes", "response_headers get_property kept"],
    clear: [
      "request_headers replace_header_map_value 0 x-route other",
      "request_headers call_foreign_function clear_route_cache ",
    ],
  }),
  bodybuffer: site([
    guest(
      "u",
      [
        "request_headers return 1",
        ...on("request_body", [PAUSE, "get_buffer_bytes 0 0 100"]),
        "request_body#2 set_buffer_bytes 0 0 100 other",
        "request_body#2 return 0",
      ],
      STOPS,
    ),
  ]),
  replylate: site([guest("u", ["response_headers return 1", `response_body ${FORBIDDEN}`], STOPS)]),
  replydead: site([guest("u", [`request_headers ${FORBIDDEN}`])], routes(route("dead"))),
  dead: site([guest("u", [])], routes(route("dead"))),
  pausedead: site(
    [
      guest(
        "u",
        [PAUSE].map((op) => `request_headers ${op}`),
      ),
    ],
    routes(route("dead")),
  ),
  empty: site([guest("u", [])], routes(route("empty"))),
  full: site([guest("u", [])], routes(route("full"))),
  pauseforever: site(
    [guest("u", ["request_headers return 1"])],
    routes(route("up", { timeout: "0.2s" })),
  ),
  holdbody: site([guest("u", ["request_body return 1"])], routes(route("up", { timeout: "0.3s" }))),
  pausetry: site([], {
    ...routes(route("up", { timeout: "2s" })),
    hcm: {
      http_filters: [router(guest("u", ["request_headers return 1"]), CODEC)],
      use_remote_address: true,
      internal_address_config: { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] },
    },
  }),
  pauseanswer: site(
    [guest("u", ["response_headers return 1"])],
    routes(route("up", { timeout: "0.3s" })),
  ),
  bufferrequest: site([guest("u", ["request_headers return 1", "request_body return 1"], STOPS)], {
    listener: { per_connection_buffer_limit_bytes: 16 },
  }),
  bufferresponse: site([guest("u", ["response_body return 1"])], {
    listener: { per_connection_buffer_limit_bytes: 16 },
  }),
  clusterwins: site([guest("r", [])], routes(route("filtered"))),
  clusteronly: { ...routes(route("filtered")) },
  two: site([
    guest("a", ["request_headers add_header_map_value 0 x-order a"]),
    guest("b", ["request_headers add_header_map_value 0 x-order b"]),
  ]),
  both: site([guest("u", [])], {}, [guest("d", [])]),
  bothhops: site([guest("u", HOPS)], {}, [guest("d", HOPS)]),
  bothreply: site([guest("u", [`response_headers ${FORBIDDEN}`])], {}, [guest("d", [])]),
  bothrequest: site([guest("u", [`request_headers ${FORBIDDEN}`])], {}, [guest("d", [])]),
  bothheld: site([guest("u", [`response_body ${FORBIDDEN}`])], {}, [
    guest("d", ["response_headers return 1"]),
  ]),
  trap: site([guest("u", ["request_headers trap"], { failure_policy: "FAIL_CLOSED" })]),
  trapresponse: site([guest("u", ["response_headers trap"], { failure_policy: "FAIL_CLOSED" })]),
  openfail: site([guest("u", ["request_headers trap"], { failure_policy: "FAIL_OPEN" })]),
  restricted: site([
    guest("u", ["request_headers add_header_map_value 0 x-up 1"], {
      capability_restriction_config: {
        allowed_capabilities: {
          proxy_log: {},
          proxy_on_vm_start: {},
          proxy_get_buffer_bytes: {},
          proxy_on_context_create: {},
          proxy_on_request_headers: {},
        },
      },
    }),
  ]),
  off: site(
    [guest("u", [])],
    routes(
      route(
        "up",
        {},
        { typed_per_filter_config: { u: { "@type": SWITCH, disabled: true, config: {} } } },
      ),
    ),
  ),
  on: site(
    [{ ...guest("u", []), disabled: true }],
    routes(
      {
        ...route(
          "up",
          {},
          { typed_per_filter_config: { u: { "@type": SWITCH, disabled: false, config: {} } } },
        ),
        match: { prefix: "/on" },
      },
      route("up"),
    ),
  ),
  callout: {
    hcm: {
      http_filters: [
        guest("d", [
          ...on("request_headers", [CALL.replace("other", "filtered"), PAUSE]),
          ...on("http_call_response", ["get_header_map_size 6", FIRST_STREAM, CONTINUE_REQUEST]),
        ]),
        router(CODEC),
      ],
    },
  },
  upgrade: {
    hcm: {
      http_filters: [
        router(
          guest("u", [
            ...on("request_headers", ["get_header_map_value 0 upgrade"]),
            ...on("request_body", ["get_buffer_bytes 0 0 100"]),
            ...on("response_body", ["get_buffer_bytes 1 0 100"]),
          ]),
          CODEC,
        ),
      ],
      upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "CONNECT" }],
    },
    ...routes({ ...route("up"), name: "connect", match: { connect_matcher: {} } }, route("up")),
  },
  rewrite: site(
    [guest("u", on("request_headers", ["get_header_map_value 0 :authority"]))],
    routes(route("named", { auto_host_rewrite: true })),
  ),
};

function plain(id: string, title: string, text: string, where?: string): Case {
  return { id: `upf-${id}`, title, connections: one(text, where) };
}

const chunked = "Transfer-Encoding: chunked";
const CHUNKS = "7\r\nabcdefg\r\n0\r\n\r\n";
const TRAILED = {
  steps: [
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "2\r\nok\r\n0\r\nx-end: 1\r\n\r\n",
  ],
};
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/** The head, and the body after a while. */
const LATE_BODY = {
  steps: ["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", { pauseMs: 100 }, "late"],
};
const CUT = { steps: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"], after: "reset" } as const;

export const upstreamFilters: Group = {
  id: "upstream-filters",
  title: "filters between the router and the upstream",
  guests: true,
  sites,
  clusters: [
    cluster(
      "filtered",
      ["$up:up"],
      options(guest("c", ["request_headers add_header_map_value 0 x-c 1"]), CODEC),
    ),
    cluster("full", ["$up:up"], {
      circuit_breakers: {
        thresholds: [{ max_requests: 0, max_pending_requests: 0, max_connections: 0 }],
      },
    }),
    {
      ...cluster("named", []),
      load_assignment: {
        cluster_name: "named",
        endpoints: [
          {
            lb_endpoints: [
              {
                endpoint: {
                  hostname: "host.local",
                  address: { socket_address: { address: "127.0.0.1", port_value: "$up:up" } },
                },
              },
            ],
          },
        ],
      },
    },
  ],
  cases: [
    plain("pass", "a request and its response pass", get("/a")),
    {
      id: "upf-keep",
      title: "two requests over one upstream connection have contexts of their own",
      connections: [
        { send: [get("/a"), { awaitText: "ok" }, get("/b")], responses: 2, site: "seen" },
      ],
    },
    plain("seen", "what a filter sees of its stream", get("/a", "X-A: 1"), "seen"),
    {
      id: "upf-connection-headers",
      title: "which headers of its connection filters behind the router and in front of it see",
      connections: one(get("/a"), "bothhops"),
      replies: [
        reply("200 OK", "x", "Connection: keep-alive", "Keep-Alive: 1", "Proxy-Connection: y"),
      ],
    },
    plain("headers", "headers changed both ways", get("/a", "X-Gone: 1"), "headers"),
    plain("body", "a body passes", post("/a", "hello"), "body"),
    {
      id: "upf-body-chunks",
      title: "a body in chunks",
      connections: [
        { send: [post("/a", "").replace("Content-Length: 0", chunked), CHUNKS], site: "body" },
      ],
    },
    {
      id: "upf-body-buffer",
      title: "a body is held and changed",
      connections: [{ send: [post("/a", "hello")], site: "bodybuffer" }],
    },
    plain("body-response", "a response's body is changed", get("/a"), "bodyresponse"),
    {
      id: "upf-trailers",
      title: "trailers both ways",
      connections: one(
        post("/a", "").replace("Content-Length: 0", chunked) + "2\r\nhi\r\n0\r\nx-q: 1\r\n\r\n",
        "trailers",
      ),
      replies: [TRAILED],
    },
    {
      id: "upf-head",
      title: "HEAD",
      connections: [{ send: [request("HEAD /a HTTP/1.1")], head: true }],
    },
    plain("reply-request", "a local reply instead of the request", get("/a"), "replyrequest"),
    plain(
      "reply-post",
      "a local reply instead of a request with a body",
      post("/a", "hello"),
      "replyrequest",
    ),
    plain("reply-dead", "a local reply while the connection fails", get("/a"), "replydead"),
    plain("reply-body", "a local reply at the request's body", post("/a", "hello"), "replybody"),
    plain("reply-response", "a local reply instead of the response", get("/a"), "replyresponse"),
    {
      id: "upf-reply-response-body",
      title: "a local reply when the response's headers are out",
      connections: one(get("/a"), "replyresponsebody"),
      replies: [LATE_BODY],
    },
    plain("reply-response-body-at-once", "the same in one turn", get("/a"), "replyresponsebody"),
    plain("reply-late", "a local reply at a body whose headers are held", get("/a"), "replylate"),
    {
      id: "upf-pause-request",
      title: "a request waits for a callout",
      connections: one(post("/a", "hello"), "pauserequest"),
      replies: [reply("200 OK", "call"), reply("200 OK", "answer")],
    },
    {
      id: "upf-pause-response",
      title: "a response waits for a callout",
      connections: one(get("/a"), "pauseresponse"),
      replies: [reply("200 OK", "answer"), reply("200 OK", "call")],
    },
    {
      ...plain(
        "hold-body",
        "a body is held when the connection comes",
        post("/a", "hello"),
        "holdbody",
      ),
      fewerGuestLines: true,
    },
    plain("pause-reply", "a callout's answer becomes a local reply", get("/a"), "pausereply"),
    plain("pause-timeout", "the route's timeout while a request waits", get("/a"), "pauseforever"),
    plain(
      "pause-per-try",
      "the attempt's timeout while a request waits",
      get("/a", "x-envoy-upstream-rq-per-try-timeout-ms: 200"),
      "pausetry",
    ),
    plain("pause-answer", "the route's timeout while a response waits", get("/a"), "pauseanswer"),
    plain("pause-dead", "the connection fails while a request waits", get("/a"), "pausedead"),
    {
      id: "upf-pause-gone",
      title: "the client leaves while a request waits",
      connections: [
        { site: "pauseforever", send: [get("/a"), { pauseMs: 50 }, { reset: true }], responses: 0 },
      ],
    },
    {
      id: "upf-pause-cut",
      title: "the upstream resets while its response waits",
      connections: one(get("/a"), "pauseanswer"),
      replies: [CUT],
    },
    plain(
      "buffer-request",
      "more of a request is held than may be",
      post("/a", "x".repeat(40)),
      "bufferrequest",
    ),
    {
      id: "upf-buffer-response",
      title: "more of a response is held than may be",
      connections: one(get("/a"), "bufferresponse"),
      replies: [reply("200 OK", "y".repeat(40))],
    },
    plain("dead", "the upstream refuses", get("/a"), "dead"),
    plain("empty", "there is no host", get("/a"), "empty"),
    plain("full", "a circuit breaker is open", get("/a"), "full"),
    {
      id: "upf-cut",
      title: "the upstream breaks a response off",
      connections: one(get("/a")),
      replies: [CUT],
    },
    {
      id: "upf-early",
      title: "the upstream answers before the request ends",
      connections: [{ send: [post("/a", "hello").slice(0, -2)] }],
      replies: [{ ...reply("200 OK", "early"), when: "head" }],
    },
    {
      id: "upf-continue",
      title: "an informational answer passes",
      connections: one(get("/a")),
      replies: [
        {
          steps: ["HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"],
        },
      ],
    },
    plain("cluster-wins", "the cluster's filters win over the router's", get("/a"), "clusterwins"),
    plain("cluster-only", "only the cluster has filters", get("/a"), "clusteronly"),
    plain("two", "two filters, and their order", get("/a"), "two"),
    plain("both", "filters on both sides of the router", get("/a"), "both"),
    plain(
      "both-reply",
      "filters in front see an upstream filter's local reply",
      get("/a"),
      "bothreply",
    ),
    plain("both-request", "the same before the request left", get("/a"), "bothrequest"),
    {
      id: "upf-both-held",
      title: "the same while a filter in front holds the headers",
      connections: one(get("/a"), "bothheld"),
      replies: [LATE_BODY],
    },
    plain("remove-path", "a request without a path", get("/a"), "removepath"),
    plain("remove-status", "a response without a status", get("/a"), "removestatus"),
    plain("trap", "a guest that traps", get("/a"), "trap"),
    plain("trap-again", "and the next request", get("/a"), "trap"),
    plain("trap-response", "a guest that traps at the response", get("/a"), "trapresponse"),
    plain("fail-open", "a guest that traps, and may", get("/a"), "openfail"),
    plain("fail-open-again", "and the next request", get("/a"), "openfail"),
    plain("restricted", "a guest that may do little", get("/a"), "restricted"),
    plain("close-request", "a guest closes the stream at the request", get("/a"), "closerequest"),
    plain(
      "close-response",
      "a guest closes the stream at the response",
      get("/a"),
      "closeresponse",
    ),
    plain("metadata", "what a guest keeps", get("/a"), "metadata"),
    plain("clear", "the route is not chosen again", get("/a"), "clear"),
    plain("off", "a route switches the filter off", get("/a"), "off"),
    plain("on", "a route switches it on", get("/on"), "on"),
    plain("not-on", "and another does not", get("/a"), "on"),
    {
      id: "upf-callout",
      title: "a guest's call goes through the cluster's filters",
      connections: one(get("/a"), "callout"),
    },
    plain("rewrite", "the host's name is set behind the filters", get("/a"), "rewrite"),
    {
      id: "upf-websocket",
      fewerGuestLines: true,
      title: "bytes behind a 101 pass the filters",
      connections: [
        {
          site: "upgrade",
          send: [
            get("/chat", "Connection: Upgrade", "Upgrade: websocket"),
            { awaitText: "\r\n\r\n" },
            "ping",
            { awaitText: "pong" },
            { fin: true },
          ],
        },
      ],
      replies: [{ tunnel: true, steps: [SWITCHED, { awaitText: "ping" }, "pong"] }],
    },
    {
      id: "upf-websocket-refused",
      fewerGuestLines: true,
      title: "an upgrade that the upstream refuses",
      connections: one(get("/chat", "Connection: Upgrade", "Upgrade: websocket"), "upgrade"),
      replies: [reply("403 Forbidden", "no")],
    },
    {
      id: "upf-connect",
      fewerGuestLines: true,
      title: "bytes of a CONNECT pass the filters",
      connections: [
        {
          site: "upgrade",
          send: [
            request("CONNECT a.local:443 HTTP/1.1", "Host: a.local:443"),
            { awaitText: "\r\n\r\n" },
            "ping",
            { awaitText: "pong" },
          ],
        },
      ],
      replies: [
        {
          tunnel: true,
          steps: ["HTTP/1.1 200 OK\r\n\r\n", { awaitText: "ping" }, "pong"],
          after: "close",
        },
      ],
    },
  ],
};
