// What HTTP streams do at a guest's word: pause and continue, local responses, body edits, headers and
// trailers, calls. Each case has a site of its own, whose scripted guest runs its lines.
import { cluster } from "../bootstrap.ts";
import {
  type Connection,
  type Group,
  get,
  one,
  post,
  type Reply,
  reply,
  request,
} from "../case.ts";
import { chunked, chunkedReply, TRAILER_CLUSTER } from "../chunks.ts";
import {
  CHUNKS,
  firstChunk,
  type Scripted,
  scriptedCase,
  scriptedSites,
} from "../scripted-case.ts";

const POST = (site: string): readonly Connection[] => one(post("/a", "12345"), site);
const ANSWER = reply("200 OK", "hello", "X-R: 1");
const CHUNKED = chunkedReply(["one", "two"], ["x-r: 1"], ["x-end: 1"]);

/** A call whose answer ends a pause: the stream is the first of its VM. */
const CALL = "http_call other :method=GET,:path=/call,:authority=call ~ ~ 1000";
const RESUME = (type: number): readonly string[] => [
  "http_call_response set_effective_context 2",
  `http_call_response continue_stream ${type}`,
];
const CALLED: Reply = reply("200 OK", "called");
/** When all of the request has come. */
const CALLED_LATE: Reply = { steps: [{ pauseMs: 200 }, ...CALLED.steps] };

const PAUSES: readonly Scripted[] = [
  {
    id: "pause-request-headers-2",
    title: "on_request_headers answers 2, which is no pause",
    lines: ["request_headers return 2"],
    connections: CHUNKS,
  },
  ...[1, 3, 4].map((answer) => ({
    id: `pause-request-headers-${answer}`,
    title: `on_request_headers answers ${answer}; a call's answer goes on`,
    lines: [`request_headers ${CALL}`, `request_headers return ${answer}`, ...RESUME(0)],
    connections: CHUNKS,
    replies: [CALLED_LATE, ANSWER],
  })),
  {
    id: "pause-request-headers-at-once",
    title: "continue_stream before the pause",
    lines: ["request_headers continue_stream 0", "request_headers return 1"],
  },
  ...[1, 2, 3].map((answer) => ({
    id: `pause-request-body-${answer}`,
    title: `on_request_body answers ${answer} to the first chunk`,
    lines: [`request_body#1 return ${answer}`, "request_body get_buffer_bytes 0 0 max"],
    connections: CHUNKS,
  })),
  {
    id: "pause-request-body-call",
    title: "all of a body and its trailers wait for a call",
    lines: [
      `request_body#1 ${CALL}`,
      "request_body return 1",
      "request_trailers return 1",
      ...RESUME(0),
    ],
    connections: CHUNKS,
    replies: [ANSWER, CALLED_LATE],
  },
  {
    id: "pause-request-trailers",
    title: "trailers wait for a call",
    lines: [`request_trailers ${CALL}`, "request_trailers return 1", ...RESUME(0)],
    connections: CHUNKS,
    replies: [CALLED, ANSWER],
  },
  {
    id: "pause-request-over",
    title: "more of a request than may be held",
    lines: ["request_body return 1"],
    connections: (site) => [
      { site, send: chunked("/a", ["x".repeat(6_000), "y".repeat(6_000), "z"]) },
    ],
    site: { listener: { per_connection_buffer_limit_bytes: 10_000 } },
  },
  {
    id: "pause-request-over-once",
    title: "the same, with the end behind it in one read",
    lines: ["request_body return 1", "request_body#2 return 0"],
    connections: (site) => [{ site, send: [post("/a", "x".repeat(12_000))] }],
    site: { listener: { per_connection_buffer_limit_bytes: 10_000 } },
  },
  {
    id: "pause-headers-stop",
    title: "allow_on_headers_stop_iteration: the body is seen while headers are held",
    lines: [
      "request_headers return 1",
      "request_body#1 return 1",
      "request_body#2 return 1",
      "request_trailers add_header_map_value 1 x-late 1",
    ],
    connections: CHUNKS,
    plugin: { allow_on_headers_stop_iteration: true },
  },
  ...[1, 3].map((answer) => ({
    id: `pause-response-headers-${answer}`,
    title: `on_response_headers answers ${answer}; a call's answer goes on`,
    lines: [`response_headers ${CALL}`, `response_headers return ${answer}`, ...RESUME(1)],
    replies: [CHUNKED, CALLED],
  })),
  ...[1, 2, 3].map((answer) => ({
    id: `pause-response-body-${answer}`,
    title: `on_response_body answers ${answer} to the first chunk`,
    lines: [`response_body#1 return ${answer}`, "response_body get_buffer_bytes 1 0 max"],
    replies: [CHUNKED],
  })),
  {
    id: "pause-response-trailers",
    title: "trailers of a response wait for a call",
    lines: [`response_trailers ${CALL}`, "response_trailers return 1", ...RESUME(1)],
    replies: [CHUNKED, CALLED],
  },
];

const REPLY = "send_local_response 418 guest%20says teapot x-l=1,x-l=2 -1";
const PHASES = [
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
];

const LOCAL: readonly Scripted[] = [
  ...PHASES.map((phase) => ({
    id: `local-${phase.replace("_", "-")}`,
    title: `a local response in on_${phase}`,
    lines: [`${phase}#1 ${REPLY}`, `${phase}#1 return 1`],
    connections: phase === "request_body" ? firstChunk : CHUNKS,
    replies: [CHUNKED],
  })),
  {
    id: "local-continue",
    title: "its callback's answer does not matter",
    lines: [`request_headers ${REPLY}`, "request_headers return 0"],
  },
  {
    id: "local-twice",
    title: "two in a callback",
    lines: [
      `request_headers ${REPLY}`,
      "request_headers send_local_response 404 second no ~ -1",
      "request_headers return 1",
    ],
  },
  {
    id: "local-call",
    title: "in the answer to a call",
    lines: [
      `request_headers ${CALL}`,
      "request_headers return 1",
      "http_call_response set_effective_context 2",
      `http_call_response ${REPLY}`,
    ],
    replies: [CALLED],
  },
  {
    id: "local-reserved",
    title: "headers that are the proxy's to set",
    lines: [
      "request_headers send_local_response 200 - body content-length=99,content-type=text/html,date=no,x-a=1 -1",
      "request_headers return 1",
    ],
  },
  {
    id: "local-grpc",
    title: "a gRPC status of its own",
    lines: [
      "request_headers send_local_response 200 - no%20way x-a=1 9",
      "request_headers return 1",
    ],
    connections: (site) => one(post("/a", "x", "Content-Type: application/grpc"), site),
  },
  {
    id: "local-head",
    title: "to HEAD",
    lines: [`request_headers ${REPLY}`, "request_headers return 1"],
    connections: (site) => [{ site, send: [request("HEAD /a HTTP/1.1")], head: true }],
  },
  {
    id: "local-204",
    title: "204 with a body",
    lines: ["request_headers send_local_response 204 - body ~ -1", "request_headers return 1"],
  },
  ...[
    ["request_headers", 0],
    ["request_body", 0],
    ["response_headers", 1],
    ["response_body", 1],
  ].map(([phase, type]) => ({
    id: `close-${String(phase).replace("_", "-")}`,
    title: `close_stream in on_${phase}`,
    lines: [`${phase}#1 close_stream ${type}`, `${phase}#1 return 1`],
    connections: CHUNKS,
    replies: [CHUNKED],
  })),
];

/** Where `set_buffer_bytes` puts its bytes: start and length. */
const EDITS: Readonly<Record<string, string>> = {
  replace: "0 max",
  prepend: "0 0",
  append: "max 0",
  "append-at": "5 0",
  prefix: "0 2",
  beyond: "9 3",
};

const BODIES: readonly Scripted[] = [
  ...Object.entries(EDITS).map(([name, where]) => ({
    id: `edit-request-${name}`,
    title: `a request of known length: ${where}`,
    lines: [
      "request_headers remove_header_map_value 0 content-length",
      `request_body#1 set_buffer_bytes 0 ${where} NEW`,
      "request_body#1 get_buffer_bytes 0 0 max",
    ],
    connections: POST,
  })),
  ...Object.entries(EDITS).map(([name, where]) => ({
    id: `edit-response-${name}`,
    title: `a response of known length: ${where}`,
    lines: [
      "response_headers remove_header_map_value 2 content-length",
      `response_body#1 set_buffer_bytes 1 ${where} NEW`,
      "response_body#1 get_buffer_bytes 1 0 max",
    ],
    replies: [ANSWER],
  })),
  {
    id: "edit-request-deleted",
    title: "a request whose body is taken away",
    lines: [
      "request_headers remove_header_map_value 0 content-length",
      "request_body set_buffer_bytes 0 0 max",
    ],
    connections: POST,
  },
  {
    id: "edit-response-same-length",
    title: "bytes of the same length, with the length as it was",
    lines: ["response_body#1 set_buffer_bytes 1 0 max HELLO"],
    replies: [ANSWER],
  },
  {
    id: "edit-response-held",
    title: "a response held to its end, then replaced",
    lines: [
      "response_headers remove_header_map_value 2 content-length",
      "response_body#1 return 1",
      "response_body#2 return 1",
      "response_trailers get_buffer_bytes 1 0 max",
    ],
    replies: [CHUNKED],
  },
];

const FIELDS: readonly Scripted[] = [
  {
    id: "fields-set-pairs",
    title: "all request headers at once",
    lines: [
      "request_headers set_header_map_pairs 0 :method=PUT,:path=/new,:authority=new.local,:scheme=http,x-forwarded-proto=http,X-Up=1,x-a=1,x-a=2",
      "request_headers get_header_map_pairs 0",
    ],
  },
  {
    id: "fields-response-pairs",
    title: "all response headers at once",
    lines: ["response_headers set_header_map_pairs 2 :status=202,x-b=1,x-b=2"],
    replies: [ANSWER],
  },
  {
    id: "fields-status",
    title: ":status is replaced",
    lines: ["response_headers replace_header_map_value 2 :status 404"],
    replies: [ANSWER],
  },
  {
    id: "fields-authority",
    title: ":authority and :method are replaced",
    lines: [
      "request_headers replace_header_map_value 0 :authority other.local",
      "request_headers replace_header_map_value 0 :method DELETE",
    ],
  },
  {
    id: "fields-no-path",
    title: ":path is removed",
    lines: ["request_headers remove_header_map_value 0 :path"],
  },
  {
    id: "fields-no-method",
    title: ":method is removed",
    lines: ["request_headers remove_header_map_value 0 :method"],
  },
  {
    id: "fields-case",
    title: "names in capitals",
    lines: [
      "request_headers add_header_map_value 0 X-Caps 1",
      "request_headers get_header_map_value 0 x-cAPS",
      "request_headers replace_header_map_value 0 X-CAPS 2",
    ],
  },
  {
    id: "fields-twice",
    title: "headers that stand twice",
    lines: [
      "request_headers get_header_map_value 0 x-a",
      "request_headers replace_header_map_value 0 x-a 3",
      "request_headers add_header_map_value 0 x-b 3",
      "request_headers get_header_map_value 0 x-b",
    ],
    connections: (site) => one(get("/a", "X-A: 1", "X-B: 1", "X-A: 2", "X-B: 2"), site),
  },
  {
    id: "fields-hop-by-hop",
    title: "headers of the connection, set by a guest",
    lines: [
      "request_headers add_header_map_value 0 connection close",
      "request_headers add_header_map_value 0 keep-alive 1",
      "response_headers add_header_map_value 2 connection close",
    ],
    replies: [ANSWER],
  },
  {
    id: "fields-late",
    title: "maps outside their callbacks",
    lines: [
      "request_body get_header_map_value 0 :path",
      "request_body add_header_map_value 0 x-late 1",
      "response_headers get_header_map_value 0 :path",
      "response_body get_header_map_value 2 :status",
      "log get_header_map_value 0 :path",
      "log get_header_map_value 2 :status",
      "log add_header_map_value 2 x-late 1",
    ],
    connections: POST,
    replies: [ANSWER],
  },
  {
    id: "trailers-request",
    title: "trailers of a request are read, added, removed",
    lines: [
      "request_trailers get_header_map_pairs 1",
      "request_trailers add_header_map_value 1 x-more 2",
      "request_trailers remove_header_map_value 1 x-t",
    ],
    connections: CHUNKS,
  },
  {
    id: "trailers-response",
    title: "trailers of a response are read, added, replaced",
    lines: [
      "response_trailers get_header_map_pairs 3",
      "response_trailers add_header_map_value 3 x-more 2",
      "response_trailers replace_header_map_value 3 x-end 9",
      "log get_header_map_pairs 3",
    ],
    replies: [CHUNKED],
  },
  {
    id: "trailers-added",
    title: "trailers where there are none",
    lines: [
      "request_body#2 add_header_map_value 1 x-new 1",
      "response_body#2 add_header_map_value 3 x-new 1",
    ],
    connections: POST,
    replies: [chunkedReply(["one"], [])],
  },
];

const CALLS: readonly Scripted[] = [
  {
    id: "call-response",
    title: "a call from on_response_headers that nothing waits for",
    lines: [`response_headers ${CALL}`, "http_call_response get_header_map_value 6 :status"],
    replies: [ANSWER, CALLED],
  },
  {
    id: "call-whole",
    title: "headers, body and trailers of a call and its answer",
    lines: [
      "request_headers http_call up_trailers :method=POST,:path=/c,:authority=c,x-a=1 body t-a=1,t-b=2 1000",
      "request_headers return 1",
      "http_call_response get_header_map_value 6 x-r",
      "http_call_response get_buffer_bytes 4 0 max",
      "http_call_response get_header_map_pairs 7",
      ...RESUME(0),
    ],
    replies: [CHUNKED, ANSWER],
  },
  {
    id: "call-two",
    title: "two calls at once, the stream goes on with the second",
    lines: [
      `request_headers ${CALL}`,
      "request_headers http_call other :method=GET,:path=/two,:authority=call ~ ~ 1000",
      "request_headers return 1",
      "http_call_response#2 set_effective_context 2",
      "http_call_response#2 continue_stream 0",
    ],
    replies: [CALLED, CALLED, ANSWER],
  },
  {
    id: "call-wrong",
    title: "calls that are refused",
    lines: [
      "request_headers http_call nowhere :method=GET,:path=/,:authority=a ~ ~ 1000",
      "request_headers http_call other :path=/,:authority=a ~ ~ 1000",
      "request_headers http_call other :method=GET,:authority=a ~ ~ 1000",
      "request_headers http_call other :method=GET,:path=/ ~ ~ 1000",
      "request_headers http_call other ~ ~ ~ 1000",
      "request_headers http_call empty :method=GET,:path=/,:authority=a ~ ~ 1000",
    ],
  },
  {
    id: "call-log",
    title: "a call from on_log",
    lines: [`log ${CALL}`, "http_call_response get_header_map_value 6 :status"],
    replies: [ANSWER, CALLED],
  },
  {
    id: "order",
    title: "the order of all callbacks of a stream",
    lines: [],
    connections: CHUNKS,
    replies: [CHUNKED],
  },
  {
    id: "order-direct",
    title: "the order for a route that answers by itself",
    lines: [],
    site: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            {
              match: { prefix: "/" },
              direct_response: { status: 200, body: { inline_string: "direct" } },
            },
          ],
        },
      ],
    },
  },
  {
    id: "order-no-route",
    title: "the order for a request without a route",
    lines: [],
    site: { virtualHosts: [{ name: "none", domains: ["none.local"] }] },
  },
];

const ALL = [...PAUSES, ...LOCAL, ...BODIES, ...FIELDS, ...CALLS];

export const wasmStreams: Group = {
  id: "wasm-streams",
  title: "what streams do at a guest's word",
  guests: true,
  sites: {
    main: {},
    ...scriptedSites(ALL),
  },
  clusters: [TRAILER_CLUSTER, cluster("none", [])],
  cases: ALL.map(scriptedCase),
};
