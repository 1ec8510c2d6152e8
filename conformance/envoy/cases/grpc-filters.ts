// gRPC calls and streams of guests to a cluster that has filters of its own: which callbacks come
// when, and what the caller is told of what filters do. Callers and filters are the scripted guest.
import { httpCluster } from "../bootstrap.ts";
import {
  type Case,
  type GrpcReply,
  type Group,
  get,
  type JsonObject,
  one,
  type Reply,
  reply,
  type Site,
} from "../case.ts";
import { built, filter, typed } from "../native-filter.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";
import { CODEC, guest } from "./upstream-filters.ts";

await built("header_mutation");

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

interface Spec {
  readonly id: string;
  readonly title: string;
  /** What the caller does when the request comes. */
  readonly calls: readonly string[];
  /** Lines of the caller in other callbacks. */
  readonly caller?: readonly string[];
  /** No end is told: the request does not wait for it. */
  readonly isSilent?: true;
  /** Lines of the filter. */
  readonly filter?: readonly string[];
  /** Instead of the scripted guest. */
  readonly filters?: readonly JsonObject[];
  readonly plugin?: JsonObject;
  /** Of the cluster. Default: the one that speaks gRPC. */
  readonly upstreams?: readonly string[];
  readonly grpc?: readonly GrpcReply[];
  readonly replies?: readonly Reply[];
  /** Of a call. */
  readonly timeoutMs?: number;
}

/** on_request_headers may hold the headers and still get the body. */
const STOPS: JsonObject = { allow_on_headers_stop_iteration: true };
const HTTP_CALL = "http_call other :method=GET,:path=/call,:authority=call.local ~ ~ 1000";
/** Of its VM: the root context is 1. */
const FIRST_STREAM = "set_effective_context 2";
const TRAILED: GrpcReply = { messages: ["one", "two"], trailers: { "x-end": "2" } };
/** Everything else is over, or all of an answer has come, by then. */
const late = (body: string): Reply => ({
  steps: [{ pauseMs: 500 }, ...reply("200 OK", body).steps],
});
/** Headers of the request. */
const SEEN = [":method", ":path", ":authority", ":scheme", "te", "content-type", "grpc-timeout"];
const FORBIDDEN = "send_local_response 403 no%20way stop%20it x-why=guest";

function name(id: string): string {
  return `g_${id.replaceAll("-", "_")}`;
}

/** A unary call of the case's cluster. */
function call(id: string, timeoutMs = 2_000): string {
  return `grpc_call ${name(id)} a.B Unary x-m=1 ping ${timeoutMs}`;
}

/** A stream, whose token is 6, that sends two messages and ends. */
function stream(id: string): string[] {
  return [`grpc_stream ${name(id)} a.B Stream x-m=1`, "grpc_send 6 hello 0", "grpc_send 6 bye 1"];
}

type Rest = Omit<Spec, "id" | "title" | "calls">;

function called(id: string, title: string, more: Rest): Spec {
  return { id, title, calls: [call(id, more.timeoutMs)], ...more };
}

function streamed(id: string, title: string, more: Rest): Spec {
  return { id, title, calls: stream(id), ...more };
}

function both(id: string, title: string, more: Rest): Spec[] {
  return [
    called(`${id}-call`, `${title}: a call`, more),
    streamed(`${id}-stream`, `${title}: a stream`, more),
  ];
}

const seen = (callback: string, ...operations: readonly string[]): string[] =>
  operations.map((operation) => `${callback} ${operation}`);

/** What is known of a route: the call has none of its own. */
const ROUTE = ["route_name", "route_metadata", "virtual_host_name", "virtual_host_metadata"].map(
  (name) => `xds.${name}`,
);

/** Property paths are joined by NUL. */
const properties = (callback: string, ...paths: readonly string[]): string[] =>
  paths.map((path) => `${callback} get_property ${path.replaceAll(".", "%00")}`);

const MUTATION = filter(
  "envoy.filters.http.header_mutation",
  typed("header_mutation.v3.HeaderMutation", {
    mutations: {
      request_mutations: [{ append: { header: { key: "x-native", value: "%REQ(:PATH)%" } } }],
      response_mutations: [{ append: { header: { key: "x-native", value: "yes" } } }],
      response_trailers_mutations: [{ append: { header: { key: "x-end", value: "native" } } }],
    },
  }),
);

/** What a filter does when its own call is answered: in no hostcall of the caller. */
const later = (operation: string): string[] => [
  ...seen("request_headers", HTTP_CALL, "return 1"),
  ...seen("http_call_response", FIRST_STREAM, operation),
];

const SPECS: readonly Spec[] = [
  ...both("pass", "what filters see", {
    filter: [
      ...seen("request_headers", ...SEEN.map((header) => `get_header_map_value 0 ${header}`)),
      ...properties("request_headers", "upstream.address", "xds.cluster_name", "request.path"),
      ...properties("request_headers", ...ROUTE),
      ...seen("request_body", "get_buffer_bytes 0 0 100"),
      ...seen("response_headers", "get_header_map_value 2 :status"),
      ...properties("response_headers", "response.code", "upstream.local_address"),
      ...properties("response_headers", ...ROUTE),
      ...seen("response_body", "get_buffer_bytes 1 0 100"),
      ...seen("response_trailers", "get_header_map_pairs 3"),
      ...seen("log", "get_header_map_value 0 :path"),
    ],
    grpc: [TRAILED],
  }),
  streamed("native", "the filter header_mutation", { filters: [MUTATION], grpc: [TRAILED] }),
  streamed("change", "headers, metadata and trailers are changed", {
    filter: [
      ...seen("request_headers", "add_header_map_value 0 x-up 1"),
      ...seen("request_headers", "replace_header_map_value 0 :path /else/Where"),
      ...seen("request_headers", "replace_header_map_value 0 :authority else.local"),
      ...seen("response_headers", "add_header_map_value 2 x-down 1"),
      ...seen("response_trailers", "add_header_map_value 3 x-down 2"),
      ...seen("response_trailers", "replace_header_map_value 3 grpc-status 9"),
      ...seen("response_trailers", "replace_header_map_value 3 grpc-message mine"),
    ],
    grpc: [TRAILED],
  }),
  streamed("status", "another status of HTTP", {
    filter: seen("response_headers", "replace_header_map_value 2 :status 429"),
  }),
  streamed("body", "messages are changed", {
    filter: [
      ...seen("request_body#1", "set_buffer_bytes 0 0 max %00%00%00%00%02no"),
      ...seen("response_body#1", "set_buffer_bytes 1 0 max %00%00%00%00%02hm"),
    ],
  }),
  streamed("bad", "an answer that is no gRPC any more", {
    filter: seen("response_body#1", "set_buffer_bytes 1 0 max %07%00%00%00%02hm"),
  }),
  ...both("reply", "a local reply to the request", { filter: later(`${FORBIDDEN} -1`) }),
  called("reply-status", "a local reply with a status of gRPC", {
    filter: later(`${FORBIDDEN} 9`),
  }),
  ...both("reply-ok", "a local reply that is fine", {
    filter: later("send_local_response 200 fine yes x-why=guest 0"),
  }),
  called("reply-at-once", "a local reply within the hostcall", {
    filter: seen("request_headers", `${FORBIDDEN} -1`),
  }),
  streamed("reply-response", "a local reply instead of the answer", {
    filter: seen("response_headers", `${FORBIDDEN} 5`),
  }),
  ...both("reply-late", "a local reply when the answer has begun", {
    filter: seen("response_trailers", `${FORBIDDEN} 5`),
    grpc: [TRAILED],
  }),
  streamed("close-request", "the filter closes the stream at the request", {
    filter: later("close_stream 0"),
  }),
  streamed("close-response", "the filter closes the stream at the response", {
    filter: seen("response_headers", "close_stream 1"),
  }),
  called("close-late", "the filter closes the stream at the trailers", {
    filter: seen("response_trailers", "close_stream 1"),
    grpc: [TRAILED],
  }),
  streamed("hold-request", "the filter waits for a callout with the request", {
    filter: later("continue_stream 0"),
  }),
  ...both("hold-response", "the filter waits for a callout with the response", {
    filter: [
      ...seen("response_headers", HTTP_CALL, "return 1"),
      ...seen("http_call_response", FIRST_STREAM, "continue_stream 1"),
    ],
    grpc: [TRAILED],
    replies: [late("ok"), reply("200 OK", "ok")],
  }),
  streamed("hold-body", "the filter collects what is sent", {
    filter: [
      ...seen("request_headers", "return 1"),
      ...seen("request_body", "get_buffer_bytes 0 0 100", "return 1"),
      ...seen("request_body#2", "return 0"),
    ],
    plugin: STOPS,
  }),
  called("timeout", "a call that its filter holds for too long", {
    filter: seen("request_headers", "return 1"),
    timeoutMs: 300,
  }),
  called("timeout-answer", "an answer that its filter holds for too long", {
    filter: seen("response_headers", "return 1"),
    timeoutMs: 300,
  }),
  called("timeout-open", "an answer that begins and does not end", {
    grpc: [{ ...TRAILED, isEndless: true }],
    timeoutMs: 300,
  }),
  {
    ...streamed("cancel", "a stream that is cancelled at once", { isSilent: true }),
    calls: [...stream("cancel"), "grpc_cancel 6"],
  },
  {
    ...streamed("cancel-held", "a stream that is cancelled while its filter holds it", {
      caller: ["http_call_response grpc_cancel 6"],
      filter: seen("request_headers", "return 1"),
      // When the stream has a connection.
      replies: [late("call"), late("ok")],
      isSilent: true,
    }),
    calls: [...stream("cancel-held"), HTTP_CALL],
  },
  streamed("cancel-answer", "a stream that is cancelled at its first metadata", {
    caller: ["grpc_receive_initial_metadata grpc_cancel 6"],
    grpc: [TRAILED],
    isSilent: true,
  }),
  {
    ...streamed("close", "a stream that is closed later", {
      caller: ["http_call_response grpc_close 6"],
    }),
    calls: [...stream("close").slice(0, 2), HTTP_CALL],
  },
  streamed("trap", "a filter that traps at the response", {
    filter: seen("response_headers", "trap"),
    plugin: { failure_policy: "FAIL_CLOSED" },
  }),
  streamed("no-status", "a filter removes the status", {
    filter: seen("response_headers", "remove_header_map_value 2 :status"),
  }),
  ...both("dead", "the service refuses", { upstreams: ["$up:dead"] }),
  called("empty", "there is no host", { upstreams: [] }),
  streamed("reset", "the service resets", { grpc: [{ reset: true }] }),
  ...both("reset-late", "the service resets when its answer has begun", {
    grpc: [{ ...TRAILED, reset: "late" }],
  }),
  ...both("trailers-only", "an answer that is all trailers", {
    grpc: [{ status: 5, text: "no such thing", isTrailersOnly: true }],
  }),
  ...both("trailers-only-ok", "an answer that is all trailers, and fine", {
    grpc: [{ isTrailersOnly: true }],
  }),
  ...both("internal", "an answer whose trailers tell an error", {
    grpc: [{ messages: ["one"], status: 13, text: "broken" }],
  }),
  {
    ...streamed("early-open", "a stream that ends when its answer has begun", {
      caller: ["grpc_receive#1 grpc_send 6 more 1"],
      grpc: [{ messages: ["one"], isEarly: true, isEndless: true }],
      isSilent: true,
    }),
    calls: stream("early-open").slice(0, 2),
  },
  called("nothing", "a call that is answered by nothing", { grpc: [{}] }),
  streamed("two", "two filters, and their order", {
    filters: [
      guest("a", ["request_headers add_header_map_value 0 x-order a"]),
      guest("b", ["request_headers add_header_map_value 0 x-order b"]),
    ],
  }),
];

function clusterOf(spec: Spec): JsonObject {
  const upstreams = spec.upstreams ?? ["$up:grpc"];
  const own = [guest(`filter ${spec.id}`, spec.filter ?? [], spec.plugin)];
  const filters = [...(spec.filters ?? own), CODEC];
  return {
    ...httpCluster(name(spec.id), upstreams, {}),
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: { http2_protocol_options: {} },
        http_filters: filters,
      },
    },
  };
}

/** The request goes on when the call is over. */
function siteOf(spec: Spec): Site {
  const goesOn = spec.isSilent === true ? [] : [FIRST_STREAM, "continue_stream 0"];
  const isCall = spec.calls[0]?.startsWith("grpc_call") === true;
  const lines = [
    ...seen("request_headers", ...spec.calls, ...(spec.isSilent === true ? [] : ["return 1"])),
    ...(spec.caller ?? []),
    ...["content-type", "x-native", "x-down"].map(
      (header) => `grpc_receive_initial_metadata get_header_map_value 4 ${header}`,
    ),
    ...seen("grpc_receive", "get_buffer_bytes 5 0 100"),
    ...["grpc-status", "grpc-message", "x-why", "x-end", "x-down"].map(
      (header) => `grpc_receive_trailing_metadata get_header_map_value 5 ${header}`,
    ),
    ...(isCall ? seen("grpc_receive", ...goesOn) : []),
    ...seen("grpc_close", "get_status", ...goesOn),
  ];
  return { hcm: scriptedChain(scriptedPlugin(name(spec.id), lines)) };
}

function caseOf(spec: Spec): Case {
  const replies = spec.replies ?? (spec.isSilent === true ? [late("ok")] : undefined);
  return {
    id: `grpcf-${spec.id}`,
    title: spec.title,
    connections: one(get("/up"), name(spec.id)),
    grpc: spec.grpc ?? [{ messages: ["pong"] }],
    ...(replies === undefined ? {} : { replies }),
  };
}

export const grpcFilters: Group = {
  id: "grpc-filters",
  title: "gRPC of guests through the filters of its cluster",
  guests: "apart",
  grpc: true,
  hosts: true,
  sites: Object.fromEntries(SPECS.map((spec) => [name(spec.id), siteOf(spec)])),
  clusters: SPECS.map(clusterOf),
  cases: SPECS.map(caseOf),
};
