// What the good call of each hostcall answers in each callback of a stream, a tick and a callout: the
// table of conformance/abi/phases.ts, asked of Envoy.
import { cluster, httpCluster } from "../bootstrap.ts";
import { type Case, type Group, type JsonObject, type Reply, type Site } from "../case.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";

const CALL = ":method=GET,:path=/side,:authority=side ~ ~ 1000";

/** In an order in which none takes what another needs. What ends the stream has sites of its own. */
const CALLS: readonly string[] = [
  "log 2 text",
  "get_log_level",
  "get_current_time",
  "set_effective_context 1",
  "set_effective_context 2",
  "set_effective_context 99",
  "done",
  "get_buffer_bytes 0 0 100",
  "get_buffer_bytes 1 0 100",
  "get_buffer_bytes 4 0 100",
  "get_buffer_bytes 5 0 100",
  "get_buffer_bytes 6 0 3",
  "get_buffer_bytes 7 0 3",
  "get_buffer_status 0",
  "get_buffer_status 1",
  "get_buffer_status 4",
  "get_buffer_status 7",
  "set_buffer_bytes 0 0 0 a",
  "set_buffer_bytes 1 0 0 b",
  "set_buffer_bytes 4 0 0 c",
  "get_header_map_size 0",
  "get_header_map_size 2",
  "get_header_map_value 0 x-a",
  "get_header_map_value 1 x-t",
  "get_header_map_value 2 x-r",
  "get_header_map_value 3 x-u",
  "get_header_map_value 4 x",
  "get_header_map_value 6 x",
  "add_header_map_value 0 x-b 1",
  "add_header_map_value 2 x-b 1",
  "replace_header_map_value 0 x-c 1",
  "replace_header_map_value 2 x-c 1",
  "remove_header_map_value 0 x-c",
  "remove_header_map_value 2 x-c",
  "set_header_map_pairs 4 a=b",
  "set_property mine value",
  "get_property mine",
  "get_shared_data key",
  "set_shared_data key value 0",
  "get_shared_data key",
  "register_shared_queue queue",
  "resolve_shared_queue nobody queue",
  "define_metric 0 count",
  "increment_metric 4 1",
  "get_metric 4",
  "define_metric 1 gauge",
  "record_metric 5 7",
  "get_metric 5",
  "define_metric 2 histogram",
  "record_metric 6 7",
  "get_metric 6",
  "call_foreign_function clear_route_cache ~",
  "get_status",
];

const GRPC: readonly string[] = [
  "grpc_call grpc s.S M ~ message",
  "grpc_stream grpc s.S M",
  "grpc_stream grpc s.S M",
  "grpc_call none s.S M ~ message",
  "grpc_stream none s.S M",
  "grpc_send 6 message",
  "grpc_send 10 message",
  "grpc_send 14 message",
  "grpc_send 5 message",
  "grpc_send 4 message",
  "grpc_close 6",
  "grpc_close 10",
  "grpc_close 4",
  "grpc_close 7",
  "grpc_cancel 6",
  "grpc_cancel 10",
  "grpc_cancel 5",
  "grpc_cancel 4",
  "grpc_cancel 99",
];

const COLUMNS = [
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
  "log",
  "done",
  "delete",
] as const;

function siteOf(name: string, lines: readonly string[]): Site {
  const chain = scriptedChain(scriptedPlugin(name, lines));
  return { hcm: { ...chain, http_protocol_options: { enable_trailers: true } }, virtualHosts };
}

const virtualHosts: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [{ match: { prefix: "/" }, route: { cluster: "trailing" } }],
  },
];

/** The stream waited until now. */
const AFTERWARDS = ["set_tick_period 0", "set_effective_context 2", "continue_stream 0"];

/** The root context comes to its callbacks by what a stream asks for. */
const roots = {
  tick: ["request_headers set_tick_period 50", "request_headers return 1"],
  http_call_response: [`request_headers http_call side ${CALL}`, "request_headers return 1"],
};

const sites: Record<string, Site> = {};
for (const column of COLUMNS) {
  sites[column] = siteOf(
    column,
    CALLS.map((call) => `${column}#1 ${call}`),
  );
  sites[`${column}_grpc`] = siteOf(
    `${column}_grpc`,
    GRPC.map((call) => `${column}#1 ${call}`),
  );
}
for (const [column, before] of Object.entries(roots)) {
  for (const [suffix, calls] of [
    ["", CALLS],
    ["_grpc", GRPC],
  ] as const) {
    const name = `${column}${suffix}`;
    const made = calls.map((call) => `${column}#1 ${call}`);
    sites[name] = siteOf(name, [
      ...before,
      ...made,
      ...AFTERWARDS.map((call) => `${column}#1 ${call}`),
    ]);
  }
}

const REQUEST =
  "POST /a HTTP/1.1\r\nHost: test.local\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n" +
  "5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n";
const ANSWER: Reply = {
  steps: [
    { pauseMs: 100 },
    "HTTP/1.1 200 OK\r\nx-r: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\nx-u: 1\r\n\r\n",
  ],
};

export const guestPhases: Group = {
  id: "guest-phases",
  title: "hostcalls of wasm guests in each callback",
  guests: true,
  clusters: [
    httpCluster("trailing", ["$up:up"], { http_protocol_options: { enable_trailers: true } }),
    cluster("side", ["$up:other"]),
    httpCluster("grpc", ["$up:dead"], { http2_protocol_options: {} }),
  ],
  sites,
  cases: Object.keys(sites).map(
    (site): Case => ({
      id: `phases-${site.replaceAll("_", "-")}`,
      title: `in on_${site}`,
      connections: [{ site, send: [REQUEST] }],
      replies: [ANSWER],
      // Whether a callout and its answer fall into the case is chance.
      ignoreStats: true,
    }),
  ),
};
