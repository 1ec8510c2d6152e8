// Access-log formats: default, text operators, JSON, filters. What time decides is masked.
import { ROUTER_TYPE } from "../bootstrap.ts";
import { type Group, get, type JsonObject, one, post, reply, request } from "../case.ts";

const HOSTS: readonly JsonObject[] = [
  {
    name: "vh",
    domains: ["*"],
    routes: [
      { name: "gone", match: { path: "/gone" }, route: { cluster: "dead" } },
      { name: "direct", match: { path: "/direct" }, direct_response: { status: 404 } },
      { name: "rest", match: { prefix: "/" }, route: { cluster: "up" } },
    ],
  },
];

/** Duration and upstream service time of the default format: numbers or `-`. */
const DEFAULT_MASKS: readonly (readonly [RegExp, string])[] = [
  [/(" \d+ \S+ \d+ \d+) \d+ (\d+) "/, '$1 {ms} {ms} "'],
  [/(" \d+ \S+ \d+ \d+) \d+ - "/, '$1 {ms} - "'],
];

function text(format: string): JsonObject {
  return { text_format_source: { inline_string: `${format}\n` } };
}

const OPERATORS: readonly string[] = [
  "%REQ(User-Agent)%",
  "%REQ(X-MISSING)%",
  "%REQ(X-MISSING?USER-AGENT):2%",
  "%REQ(:AUTHORITY)%",
  "%RESP(Content-Type)%",
  "%RESP(X-MISSING)%",
  "%TRAILER(X-T)%",
  "%PROTOCOL%",
  "%RESPONSE_CODE%",
  "%RESPONSE_CODE_DETAILS%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_FLAGS_LONG%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%UPSTREAM_HOST%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_CLUSTER_RAW%",
  "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%UPSTREAM_REMOTE_PORT%",
  "%UPSTREAM_PROTOCOL%",
  "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
  "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_LOCAL_ADDRESS%",
  "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
  "%REQUESTED_SERVER_NAME%",
  "%ROUTE_NAME%",
  "%VIRTUAL_CLUSTER_NAME%",
  "%FILTER_CHAIN_NAME%",
  "%DYNAMIC_METADATA(a:b)%",
  "%FILTER_STATE(a:PLAIN)%",
  "%GRPC_STATUS%",
  "%LOCAL_REPLY_BODY%",
  "%CONNECTION_TERMINATION_DETAILS%",
  "%ACCESS_LOG_TYPE%",
  "%REQUEST_HEADERS_BYTES%",
  "%PATH(WQ)%",
  "%PATH(NQ)%",
  "%QUERY_PARAM(a)%",
  "%ENVIRONMENT(HEADGATE_NO_SUCH_VARIABLE)%",
  "100%%",
  "%REQUEST_HEADER(X-MISSING?USER-AGENT):2%",
  "%RESPONSE_HEADER(Content-Type)%",
  "%RESPONSE_TRAILER(X-T)%",
  "%LISTENER_NAME%",
  "%METADATA(DYNAMIC:a:b)%",
  "%FILTER_STATE(a:FIELD:b)%",
  "%UPSTREAM_FILTER_STATE(a)%",
  "%SPAN_ID%",
  "%ROUNDTRIP_DURATION%",
  "%BYTES_RETRANSMITTED%",
  "%PACKETS_RETRANSMITTED%",
  "[%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%]",
  "[%UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID%]",
  "%UPSTREAM_SERVER_NAME%",
  "%DOWNSTREAM_TLS_GROUP%",
  "%DOWNSTREAM_PEER_CERT_V_START(%Y)%",
  "%DOWNSTREAM_PEER_CHAIN_SERIALS%",
  "%UPSTREAM_PEER_URI_SAN%",
  "%UPSTREAM_LOCAL_DNS_SAN%",
];

/** Bytes on the wire and of heads: each depends on the framing that was chosen. */
const BYTES: readonly string[] = [
  "%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
  "%DOWNSTREAM_WIRE_BYTES_SENT%",
  "%DOWNSTREAM_HEADER_BYTES_SENT%",
  "%DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT%",
  "%UPSTREAM_WIRE_BYTES_RECEIVED%",
  "%UPSTREAM_WIRE_BYTES_SENT%",
  "%UPSTREAM_HEADER_BYTES_SENT%",
  "%UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT%",
];

/** Without the service time, whose number of digits is chance. */
const SUPPRESSED: JsonObject = {
  http_filters: [
    {
      name: "envoy.filters.http.router",
      typed_config: { "@type": ROUTER_TYPE, suppress_envoy_headers: true },
    },
  ],
};

const TIMES: readonly string[] = [
  "%START_TIME(%Y)%",
  "%START_TIME(%s)%",
  "%START_TIME(%s.%3f)%",
  "%START_TIME%",
  "%DURATION%",
  "%REQUEST_DURATION%",
  "%RESPONSE_DURATION%",
  "%RESPONSE_TX_DURATION%",
];

const TIME_MASKS: readonly (readonly [RegExp, string])[] = [
  [/^\d{4}\|\d{10}\|\d{10}\.\d{3}\|/, "{year}|{s}|{s.ms}|"],
  [/\|\d+(?=\||$)/g, "|{ms}"],
];

function filtered(filter: JsonObject): JsonObject {
  return {
    access_log: [
      {
        name: "envoy.access_loggers.file",
        filter,
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path: "$DIR/only.log",
          log_format: text("%RESPONSE_CODE% %REQ(:PATH)%"),
        },
      },
    ],
  };
}

const FILTERS: Readonly<Record<string, JsonObject>> = {
  status: {
    status_code_filter: {
      comparison: { op: "GE", value: { default_value: 500, runtime_key: "access_log.status" } },
    },
  },
  flags: { response_flag_filter: { flags: ["UF"] } },
  header: { header_filter: { header: { name: "x-log", present_match: true } } },
};

/** A site whose log has a filter. The log stands where run-group.ts looks for the site's. */
function filterSites(): Group["sites"] {
  const sites: Record<string, Group["sites"][string]> = {};
  for (const [name, filter] of Object.entries(FILTERS)) {
    const hcm = JSON.parse(JSON.stringify(filtered(filter)).replace("only.log", `${name}.log`));
    sites[name] = { hcm: hcm as JsonObject, virtualHosts: HOSTS };
  }
  return sites;
}

export const accessLog: Group = {
  id: "access-log",
  title: "access-log formats",
  sites: {
    main: { virtualHosts: HOSTS, logFormat: null, logMasks: DEFAULT_MASKS },
    operators: { virtualHosts: HOSTS, logFormat: text(OPERATORS.join("|")) },
    bytes: { virtualHosts: HOSTS, hcm: SUPPRESSED, logFormat: text(BYTES.join("|")) },
    times: { virtualHosts: HOSTS, logFormat: text(TIMES.join("|")), logMasks: TIME_MASKS },
    json: {
      virtualHosts: HOSTS,
      logFormat: {
        json_format: {
          path: "%REQ(:PATH)%",
          code: "%RESPONSE_CODE%",
          missing: "%REQ(X-MISSING)%",
          mixed: "code %RESPONSE_CODE%",
          literal: 'quote " and \\ and é',
          bytes: "%BYTES_SENT%",
          agent: "%REQ(User-Agent)%",
          nested: { flags: "%RESPONSE_FLAGS%", list: ["%PROTOCOL%", "x"] },
          number: 7,
          truth: true,
        },
      },
    },
    json_omit: {
      virtualHosts: HOSTS,
      logFormat: {
        omit_empty_values: true,
        json_format: { a: "%REQ(X-MISSING)%", b: "%RESPONSE_CODE%", c: "-%REQ(X-MISSING)%-" },
      },
    },
    text_omit: {
      virtualHosts: HOSTS,
      logFormat: {
        omit_empty_values: true,
        text_format_source: { inline_string: "[%REQ(X-MISSING)%] %RESPONSE_CODE%\n" },
      },
    },
    ...filterSites(),
  },
  cases: [
    {
      id: "log-default",
      title: "the default format",
      connections: one(
        get("/a?b=c", "User-Agent: probe", "X-Forwarded-For: 1.2.3.4", "X-Request-Id: id-1"),
      ),
    },
    {
      id: "log-default-sparse",
      title: "the default format without the headers it names",
      connections: one(get("/")),
    },
    {
      id: "log-default-local-reply",
      title: "the default format of a local reply",
      connections: one(get("/direct", "X-Request-Id: id-1")),
    },
    {
      id: "log-default-failure",
      title: "the default format of a refused connection",
      connections: one(get("/gone", "X-Request-Id: id-1")),
    },
    {
      id: "log-default-bad-request",
      title: "the default format of a request that was not understood",
      connections: one("BAD\r\n\r\n"),
    },
    {
      id: "log-default-quotes",
      title: "quotes and bytes above 127 in what is logged",
      connections: one(get("/%22", 'User-Agent: a"b\\c\xe9', "X-Request-Id: id-1")),
    },
    {
      id: "log-operators",
      title: "text operators on a proxied request",
      connections: one(post("/a?a=1", "abc", "User-Agent: probe"), "operators"),
      replies: [reply("201 Created", "hello", "Content-Type: text/plain")],
    },
    {
      id: "log-operators-direct",
      title: "text operators on a direct response",
      connections: one(get("/direct"), "operators"),
    },
    {
      id: "log-operators-failure",
      title: "text operators on a refused connection",
      connections: one(get("/gone"), "operators"),
    },
    {
      id: "log-operators-bad-request",
      title: "text operators on a request that was not understood",
      connections: one("BAD\r\n\r\n", "operators"),
    },
    {
      id: "log-bytes-get",
      title: "bytes of a GET, twice on one connection",
      connections: [
        { site: "bytes", send: [get("/a"), { awaitText: "ok" }, get("/a?b")], responses: 2 },
      ],
    },
    {
      id: "log-bytes-post",
      title: "bytes of a body with a length, in pieces",
      connections: [
        {
          site: "bytes",
          send: [`${request("POST /p HTTP/1.1", "Content-Length: 6")}abc`, { pauseMs: 30 }, "def"],
        },
      ],
      replies: [reply("201 Created", "hello", "X-Up: 1")],
    },
    {
      id: "log-bytes-chunked",
      title: "bytes of chunked bodies, both ways",
      connections: [
        {
          site: "bytes",
          send: [
            `${request("POST /c HTTP/1.1", "Transfer-Encoding: chunked")}3;x=y\r\nabc\r\n`,
            { pauseMs: 30 },
            "2\r\nde\r\n0\r\n\r\n",
          ],
        },
      ],
      replies: [
        { steps: ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] },
      ],
    },
    {
      id: "log-bytes-direct",
      title: "bytes of a direct response",
      connections: one(get("/direct"), "bytes"),
    },
    {
      id: "log-bytes-gone",
      title: "bytes where nobody listens",
      connections: one(get("/gone"), "bytes"),
    },
    {
      id: "log-bytes-bad",
      title: "bytes of a request that was not understood",
      connections: one("BAD\r\n\r\n", "bytes"),
    },
    {
      id: "log-bytes-head",
      title: "bytes of HEAD",
      connections: [{ site: "bytes", send: [request("HEAD /h HTTP/1.1")], head: true }],
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"] }],
    },
    {
      id: "log-bytes-continue",
      title: "bytes with 100 Continue",
      connections: [
        {
          site: "bytes",
          send: [
            request("POST /e HTTP/1.1", "Expect: 100-continue", "Content-Length: 3"),
            { awaitText: "100 Continue" },
            "abc",
          ],
        },
      ],
    },
    {
      id: "log-bytes-closed",
      title: "bytes of an upstream that closes instead of an answer",
      connections: one(get("/x"), "bytes"),
      replies: [{ steps: [], after: "close" }],
    },
    {
      id: "log-times",
      title: "times and durations",
      connections: one(get("/"), "times"),
    },
    {
      id: "log-json",
      title: "the JSON format: order, types, escapes",
      connections: one(get("/a", 'User-Agent: a"b\\c'), "json"),
    },
    {
      id: "log-json-direct",
      title: "the JSON format of a direct response",
      connections: one(get("/direct"), "json"),
    },
    {
      id: "log-json-omit",
      title: "omit_empty_values of the JSON format",
      connections: one(get("/"), "json_omit"),
    },
    {
      id: "log-text-omit",
      title: "omit_empty_values of the text format",
      connections: one(get("/"), "text_omit"),
    },
    {
      id: "log-filter-status",
      title: "status_code_filter",
      connections: [{ site: "status", send: [get("/"), get("/gone")], responses: 2 }],
    },
    {
      id: "log-filter-flags",
      title: "response_flag_filter",
      connections: [{ site: "flags", send: [get("/"), get("/gone")], responses: 2 }],
    },
    {
      id: "log-filter-header",
      title: "header_filter",
      connections: [{ site: "header", send: [get("/1"), get("/2", "X-Log:")], responses: 2 }],
    },
    {
      id: "log-chunked-bytes",
      title: "BYTES_RECEIVED and BYTES_SENT without chunk framing",
      connections: one(
        `${request("POST / HTTP/1.1", "Transfer-Encoding: chunked")}3\r\nabc\r\n0\r\n\r\n`,
        "json",
      ),
      replies: [
        { steps: ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] },
      ],
    },
  ],
};
