// What each row of the callbacks' table must show: when it is called, with what, and what its answer does.
import { encodePairs, type AbiVersion } from "proxy-wasm-types";
import type { Scene, Step } from "./case.ts";
import { same } from "./expect.ts";
import { type Call, call, type CallbackScript, told } from "./guest.ts";
import type { Scenes } from "./make-case.ts";

const all = {
  method: "POST",
  headers: { "x-a": "1" },
  body: "request",
  trailers: { t: "1" },
  upstream: { headers: { "x-b": "1" }, body: "response", trailers: { t: "1", u: "2" } },
} as const;

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const tick: CallbackScript = { calls: [call("proxy_set_tick_period_milliseconds", 10)] };
const drained: Pick<Scene, "play" | "needs"> = {
  play: [{ request: {} }, { drain: true }],
  needs: ["drain"],
};

/** What a header callback is told: the end of stream since 0.2.0. */
function headers(
  name: string,
  context: number,
  count: number,
  end = 0,
): Record<AbiVersion, string[]> {
  const old = `${name}(${context},${count})`;
  const now = `${name}(${context},${count},${end})`;
  return { "0.1.0": [old], "0.2.0": [now], "0.2.1": [now] };
}

/** Paused, it lets nothing through until a tick continues it. */
function pausedIn(name: string, type: 0 | 1, version: AbiVersion): Scene {
  const direction = type === 0 ? "request" : "response";
  const go =
    version === "0.1.0" ? call(`proxy_continue_${direction}`) : call("proxy_continue_stream", type);
  // Behind a paused body, trailers would let it go.
  const { trailers, upstream, ...rest } = all;
  const { trailers: _, ...answer } = upstream;
  const isBody = name.endsWith("body");
  const ticks = call("proxy_set_tick_period_milliseconds", 10);
  const after = name.endsWith("headers") ? `proxy_on_${direction}_body` : "proxy_on_log";
  return {
    what: "the answer Pause holds the stream until it is continued",
    callbacks: {
      [name]: { answer: 1, calls: [ticks] },
      ...(after === "proxy_on_log" ? {} : { [after]: {} }),
      proxy_on_tick: {
        calls: [
          call("proxy_set_effective_context", 2),
          go,
          call("proxy_set_tick_period_milliseconds", 0),
        ],
      },
      proxy_on_log: {},
    },
    request: isBody ? { ...rest, upstream: answer } : { ...rest, trailers, upstream },
    play: [{ request: {}, open: true }, { until: "proxy_on_log" }],
    order: [name, "proxy_on_tick", after],
    exchange: {
      status: 200,
      body: "response",
      upstream: { body: "request", trailers: isBody ? {} : { t: "1" } },
    },
  };
}

/** A stream with two messages, which come back. */
const grpc = call("proxy_grpc_stream", "echo", "s", "m", "");
const grpcCalls = [
  grpc,
  call("proxy_grpc_send", told(grpc), "m1", 0),
  call("proxy_grpc_send", told(grpc), "", 1),
];
const grpcStream: Pick<Scene, "callbacks" | "needs"> = {
  needs: ["gRPC"],
  callbacks: { proxy_on_request_headers: { calls: grpcCalls } },
};
const GRPC = /_grpc_/;

function grpcUntil(name: string, times: number = 1): readonly Step[] {
  return [{ request: {} }, { until: name, times }];
}

const TCP = /^proxy_on_(new|downstream|upstream)/;
const tcp = { position: "network", of: TCP } as const;
const queue = call("proxy_register_shared_queue", "queue");

/** The length of the default request's map: four pseudo headers, x-a, x-forwarded-proto. */
const COUNT = 6;

function goesOn(version: AbiVersion): readonly Call[] {
  const old = version === "0.1.0";
  return [
    call("proxy_set_effective_context", 2),
    old ? call("proxy_continue_request") : call("proxy_continue_stream", 0),
    call("proxy_set_tick_period_milliseconds", 0),
  ];
}

/** What needs proxy_continue_stream and proxy_close_stream. */
const dataOfStreams: readonly Scene[] = [
  {
    what: "paused bytes go on when the stream is continued",
    ...tcp,
    callbacks: {
      proxy_on_downstream_data: { answer: 1, calls: [call("proxy_continue_stream", 2)] },
    },
    play: [{ connect: [{ client: "abc" }] }],
    holds: ({ connection }) => same("at the server", connection?.toServer, "abc"),
  },
  {
    what: "the connection can be closed",
    ...tcp,
    callbacks: {
      proxy_on_downstream_data: { answer: 1, calls: [call("proxy_close_stream", 2)] },
      proxy_on_downstream_connection_close: {},
    },
    play: [{ connect: [{ client: "abc" }] }],
    trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_connection_close(2,1)"],
    holds: ({ connection }) => {
      same("closed", connection?.isClosed, true);
      same("bytes at the server", connection?.toServer.includes("abc"), false);
    },
  },
];

/** Every callback of a stream names its context. */
function sameContext(version: AbiVersion): Scene {
  const end = version === "0.1.0" ? "" : ",0";
  const names = ["headers", "body", "trailers"];
  const callbacks = ["request", "response"].flatMap((direction) =>
    names.map((name) => [`proxy_on_${direction}_${name}`, {}] as const),
  );
  return {
    what: "the same context in all callbacks of a stream",
    callbacks: {
      proxy_on_context_create: {},
      ...Object.fromEntries(callbacks),
      proxy_on_log: {},
      proxy_on_done: {},
      proxy_on_delete: {},
    },
    request: all,
    trace: [
      "proxy_on_context_create(1,0)",
      "proxy_on_context_create(2,1)",
      `proxy_on_request_headers(2,#${end})`,
      "proxy_on_request_body(2,7,0)",
      "proxy_on_request_trailers(2,1)",
      `proxy_on_response_headers(2,#${end})`,
      "proxy_on_response_body(2,8,0)",
      "proxy_on_response_trailers(2,2)",
      "proxy_on_log(2)",
      "proxy_on_done(2)",
      "proxy_on_delete(2)",
    ],
  };
}

export const callbackCases: Readonly<Record<string, Scenes>> = {
  _initialize: [
    {
      what: "once, before everything else",
      callbacks: { _start: {}, proxy_on_configure: {}, _initialize: {} },
      play: [],
      trace: ["_initialize()", "proxy_on_configure(1,0)"],
    },
  ],
  main: [
    {
      what: "behind _initialize, instead of __main_void",
      callbacks: { __main_void: {}, main: {}, _initialize: {}, proxy_on_configure: {} },
      play: [],
      trace: ["_initialize()", "main(0,0)", "proxy_on_configure(1,0)"],
    },
    {
      what: "not without _initialize",
      callbacks: { main: {}, proxy_on_configure: {} },
      play: [],
      trace: ["proxy_on_configure(1,0)"],
    },
  ],
  __main_void: [
    {
      what: "behind _initialize",
      callbacks: { __main_void: {}, _initialize: {}, proxy_on_configure: {} },
      play: [],
      trace: ["_initialize()", "__main_void()", "proxy_on_configure(1,0)"],
    },
    {
      what: "not without _initialize",
      callbacks: { __main_void: {}, proxy_on_configure: {} },
      play: [],
      trace: ["proxy_on_configure(1,0)"],
    },
  ],
  _start: [
    {
      what: "where there is no _initialize",
      callbacks: { proxy_on_configure: {}, _start: {} },
      play: [],
      trace: ["_start()", "proxy_on_configure(1,0)"],
    },
  ],
  malloc: [allocates("malloc")],
  proxy_on_memory_allocate: [allocates("proxy_on_memory_allocate")],
  proxy_on_context_create: (version) => [
    sameContext(version),
    {
      what: "a root context has no parent, a stream's is the root",
      callbacks: { proxy_on_context_create: {} },
      play: [{ request: {} }, { request: {} }],
      trace: [1, 2, 3].map((id) => `proxy_on_context_create(${id},${id === 1 ? 0 : 1})`),
    },
  ],
  proxy_on_vm_start: [
    {
      what: "with the root context and the size of the VM's configuration",
      callbacks: { proxy_on_context_create: {}, proxy_on_vm_start: {}, proxy_on_configure: {} },
      plugin: { vmConfig: "vm!" },
      play: [],
      trace: ["proxy_on_context_create(1,0)", "proxy_on_vm_start(1,3)", "proxy_on_configure(1,0)"],
    },
    {
      what: "false refuses the plugin",
      callbacks: { proxy_on_vm_start: { answer: 0 } },
      isRefused: true,
    },
  ],
  proxy_validate_configuration: [
    {
      what: "is never called",
      verdict: "envoy",
      spec: "It does not have it.",
      callbacks: { proxy_validate_configuration: {}, proxy_on_configure: {} },
      trace: ["proxy_on_configure(1,0)"],
    },
  ],
  proxy_on_configure: [
    {
      what: "with the size of the plugin's configuration",
      callbacks: { proxy_on_configure: {} },
      plugin: { config: "plugin" },
      play: [],
      trace: ["proxy_on_configure(1,6)"],
    },
    {
      what: "false refuses the plugin",
      callbacks: { proxy_on_configure: { answer: 0 } },
      isRefused: true,
    },
    {
      what: "a trap refuses the plugin",
      callbacks: { proxy_on_configure: { traps: true } },
      isRefused: true,
    },
  ],
  proxy_on_done: [
    {
      what: "of a stream comes behind its log, and its answer does not count",
      verdict: "envoy",
      spec: "proxy_on_done comes before proxy_on_log; false keeps the context until proxy_done.",
      callbacks: {
        proxy_on_done: { answer: 0 },
        proxy_on_log: {},
        proxy_on_delete: {},
        proxy_on_request_headers: {},
      },
      of: /done|log|delete/,
      trace: ["proxy_on_log(2)", "proxy_on_done(2)", "proxy_on_delete(2)"],
    },
    {
      what: "of a root context",
      callbacks: { proxy_on_done: { answer: 0 }, proxy_on_log: {}, proxy_on_delete: {} },
      ...drained,
      trace: ["proxy_on_log(2)", "proxy_on_done(2)", "proxy_on_delete(2)", "proxy_on_done(1)"],
    },
    {
      what: "true deletes the root context",
      callbacks: { proxy_on_done: {}, proxy_on_delete: {} },
      play: [{ drain: true }, { until: "proxy_on_delete" }],
      needs: ["drain"],
      trace: ["proxy_on_done(1)", "proxy_on_delete(1)"],
    },
  ],
  proxy_on_log: [
    {
      what: "once for each stream",
      callbacks: { proxy_on_log: {} },
      play: [{ request: {} }, { request: {} }],
      trace: ["proxy_on_log(2)", "proxy_on_log(3)"],
    },
    {
      what: "none for the root",
      callbacks: { proxy_on_log: {} },
      ...drained,
      trace: ["proxy_on_log(2)"],
    },
    {
      what: "of a stream that the guest answered",
      callbacks: {
        proxy_on_request_headers: {
          answer: 1,
          calls: [call("proxy_send_local_response", 403, "", "", "", -1)],
        },
        proxy_on_log: { calls: [call("proxy_get_header_map_value", 2, ":status")] },
      },
      exchange: { status: 403 },
      holds: ({ answers }) => same("status in on_log", answers[1], "Ok [403]"),
    },
  ],
  proxy_on_delete: [
    {
      what: "last of all of a stream",
      callbacks: { proxy_on_delete: {}, proxy_on_log: {} },
      trace: ["proxy_on_log(2)", "proxy_on_delete(2)"],
    },
    {
      what: "once for each context",
      callbacks: { proxy_on_delete: {}, proxy_on_log: {} },
      ...drained,
      trace: ["proxy_on_log(2)", "proxy_on_delete(2)", "proxy_on_delete(1)"],
    },
  ],
  proxy_on_tick: [
    {
      what: "once a period, on the root context",
      callbacks: { proxy_on_configure: tick, proxy_on_tick: {} },
      play: [{ until: "proxy_on_tick", times: 3 }],
      trace: ["proxy_on_configure(1,0)", "proxy_on_tick(1)"],
    },
  ],
  proxy_on_request_headers: (version) => [
    {
      what: "with the number of entries, pseudo headers among them",
      verdict: "envoy",
      spec: "The number of entries; it does not say whether pseudo headers are among them.",
      callbacks: { proxy_on_request_headers: {} },
      request: all,
      trace: headers("proxy_on_request_headers", 2, COUNT),
    },
    {
      what: "a request that ends with its headers",
      callbacks: { proxy_on_request_headers: {}, proxy_on_request_body: {} },
      trace: headers("proxy_on_request_headers", 2, COUNT, 1),
    },
    pausedIn("proxy_on_request_headers", 0, version),
  ],
  proxy_on_request_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_request_body: {} },
      request: { ...all, body: ["ab", "cde"] },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,3,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      verdict: "envoy",
      spec: "end_of_stream is told with the last piece.",
      callbacks: { proxy_on_request_body: {} },
      request: { method: "POST", body: "ab" },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,0,1)"],
    },
    {
      what: "paused, the next size is that of all that is held",
      callbacks: { proxy_on_request_body: { answer: 1 } },
      request: { ...all, body: ["ab", "cde"] },
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,5,0)"],
      exchange: { upstream: { body: "abcde" } },
    },
    {
      what: "not while the headers wait",
      verdict: "envoy",
      callbacks: {
        proxy_on_request_headers: {
          answer: 1,
          // All of the body has come then.
          calls: [call("proxy_set_tick_period_milliseconds", 1500)],
        },
        proxy_on_request_body: {},
        proxy_on_tick: { calls: goesOn(version) },
      },
      request: { ...all, body: ["ab", "cde"] },
      order: ["proxy_on_request_headers", "proxy_on_tick", "proxy_on_request_body(2,5,0)"],
      play: [{ request: {}, open: true }, { until: "proxy_on_request_body" }],
    },
    pausedIn("proxy_on_request_body", 0, version),
  ],
  proxy_on_request_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_request_trailers: {} },
      request: all,
      trace: ["proxy_on_request_trailers(2,1)"],
    },
    {
      what: "behind headers and body",
      callbacks: {
        proxy_on_request_headers: {},
        proxy_on_request_body: {},
        proxy_on_request_trailers: {},
      },
      request: all,
      order: ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers"],
    },
    pausedIn("proxy_on_request_trailers", 0, version),
  ],
  proxy_on_request_metadata: [
    {
      what: "does not come where there is no METADATA",
      verdict: "envoy",
      callbacks: { proxy_on_request_metadata: {}, proxy_on_request_trailers: {} },
      request: all,
      trace: ["proxy_on_request_trailers(2,1)"],
    },
  ],
  proxy_on_response_headers: (version) => [
    {
      what: "with the number of entries, the status among them",
      verdict: "envoy",
      spec: "The number of entries; it does not say whether pseudo headers are among them.",
      callbacks: { proxy_on_response_headers: {} },
      request: all,
      // :status, x-b, transfer-encoding.
      trace: headers("proxy_on_response_headers", 2, 3),
    },
    {
      what: "a response that ends with its headers",
      callbacks: { proxy_on_response_headers: {}, proxy_on_response_body: {} },
      trace: headers("proxy_on_response_headers", 2, 2, 1),
    },
    pausedIn("proxy_on_response_headers", 1, version),
  ],
  proxy_on_response_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_response_body: {} },
      request: { upstream: { ...all.upstream, body: ["res", "ponse"] } },
      trace: ["proxy_on_response_body(2,3,0)", "proxy_on_response_body(2,5,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      verdict: "envoy",
      spec: "end_of_stream is told with the last piece.",
      callbacks: { proxy_on_response_body: {} },
      request: { upstream: { body: "ab" } },
      trace: ["proxy_on_response_body(2,2,0)", "proxy_on_response_body(2,0,1)"],
    },
    {
      what: "paused, the next size is that of all that is held",
      callbacks: { proxy_on_response_body: { answer: 1 } },
      request: { upstream: { ...all.upstream, body: ["res", "ponse"] } },
      trace: ["proxy_on_response_body(2,3,0)", "proxy_on_response_body(2,8,0)"],
      exchange: { body: "response" },
    },
    pausedIn("proxy_on_response_body", 1, version),
  ],
  proxy_on_response_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_response_trailers: {} },
      request: all,
      trace: ["proxy_on_response_trailers(2,2)"],
    },
    pausedIn("proxy_on_response_trailers", 1, version),
  ],
  proxy_on_response_metadata: [
    {
      what: "does not come where there is no METADATA",
      verdict: "envoy",
      callbacks: { proxy_on_response_metadata: {}, proxy_on_response_trailers: {} },
      request: all,
      trace: ["proxy_on_response_trailers(2,2)"],
    },
  ],
  proxy_on_new_connection: [
    {
      what: "before anything else of a connection",
      position: "network",
      callbacks: { proxy_on_context_create: {}, proxy_on_new_connection: {} },
      play: [{ connect: [{ client: "a" }] }],
      trace: [
        "proxy_on_context_create(1,0)",
        "proxy_on_context_create(2,1)",
        "proxy_on_new_connection(2)",
      ],
      holds: ({ connection }) => same("at the server", connection?.toServer, "a"),
    },
    {
      what: "the answer Pause keeps it from the next filter",
      ...tcp,
      callbacks: { proxy_on_new_connection: { answer: 1 } },
      play: [{ connect: [] }],
      trace: ["proxy_on_new_connection(2)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, ""),
    },
  ],
  proxy_on_downstream_data: (version) => [
    {
      what: "with the number of bytes and the end",
      ...tcp,
      callbacks: { proxy_on_downstream_data: {} },
      play: [{ connect: [{ client: "abc" }, "client ends"] }],
      trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_data(2,0,1)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, "abc(end)"),
    },
    {
      what: "paused, what came stays, and the next size counts it",
      ...tcp,
      callbacks: { proxy_on_downstream_data: { answer: 1 } },
      play: [{ connect: [{ client: "ab" }, { client: "cde" }] }],
      trace: ["proxy_on_downstream_data(2,2,0)", "proxy_on_downstream_data(2,5,0)"],
      holds: ({ connection }) => same("at the server", connection?.toServer, ""),
    },
    {
      what: "buffer 2 can be read and changed",
      ...tcp,
      callbacks: {
        proxy_on_downstream_data: {
          calls: [
            call("proxy_get_buffer_bytes", 2, 0, 100),
            call("proxy_set_buffer_bytes", 2, 0, 1, "A"),
            call("proxy_get_buffer_status", 3),
            call("proxy_set_buffer_bytes", 3, 0, 0, "x"),
          ],
        },
      },
      play: [{ connect: [{ client: "abc" }] }],
      holds: ({ answers, connection }) => {
        same("answers", answers, ["Ok [abc]", "Ok", "Ok 0 0", "BadArgument"]);
        same("at the server", connection?.toServer, "Abc");
      },
    },
    ...(version === "0.1.0" ? [] : dataOfStreams),
  ],
  proxy_on_downstream_connection_close: [
    {
      what: "by the host when both sides have ended, the client first",
      ...tcp,
      callbacks: { proxy_on_downstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, "client ends", "server ends", "client leaves"] }],
      trace: ["proxy_on_downstream_connection_close(2,1)"],
      verdict: "envoy",
    },
    {
      what: "by the peer when both sides have ended, the server first",
      ...tcp,
      callbacks: { proxy_on_downstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, "server ends", "client ends", "client leaves"] }],
      trace: ["proxy_on_downstream_connection_close(2,2)"],
      verdict: "envoy",
    },
    {
      what: "by the peer; then on_done, on_log and on_delete in this order",
      position: "network",
      callbacks: {
        proxy_on_downstream_connection_close: {},
        proxy_on_done: { answer: 0 },
        proxy_on_log: { calls: [call("proxy_get_property", "connection\0id")] },
        proxy_on_delete: {},
      },
      play: [{ connect: [{ client: "abc" }, "client leaves"] }],
      trace: [
        "proxy_on_downstream_connection_close(2,2)",
        "proxy_on_done(2)",
        "proxy_on_log(2)",
        "proxy_on_delete(2)",
      ],
      holds: ({ answers }) => same("property", answers[0]?.slice(0, 2), "Ok"),
    },
  ],
  proxy_on_upstream_data: [
    {
      what: "with the number of bytes; buffer 3 can be changed",
      ...tcp,
      callbacks: {
        proxy_on_upstream_data: {
          calls: [
            call("proxy_get_buffer_bytes", 3, 0, 100),
            call("proxy_set_buffer_bytes", 3, 99, 0, "!"),
          ],
        },
      },
      play: [{ connect: [{ client: "a" }, { server: "hello" }] }],
      trace: ["proxy_on_upstream_data(2,5,0)"],
      holds: ({ answers, connection }) => {
        same("at the client", connection?.toClient, "hello!");
        same("answers", answers, ["Ok [hello]", "Ok"]);
      },
    },
    {
      what: "paused, what came stays",
      ...tcp,
      callbacks: { proxy_on_upstream_data: { answer: 1 } },
      play: [{ connect: [{ client: "a" }, { server: "hel" }, { server: "lo" }] }],
      trace: ["proxy_on_upstream_data(2,3,0)", "proxy_on_upstream_data(2,5,0)"],
      holds: ({ connection }) => same("at the client", connection?.toClient, ""),
    },
  ],
  proxy_on_upstream_connection_close: [
    {
      what: "once, behind the data callback that is told the end",
      ...tcp,
      callbacks: { proxy_on_upstream_data: {}, proxy_on_upstream_connection_close: {} },
      play: [{ connect: [{ client: "a" }, { server: "bye" }, "server ends"] }],
      trace: [
        "proxy_on_upstream_data(2,3,0)",
        "proxy_on_upstream_data(2,0,1)",
        "proxy_on_upstream_connection_close(2,#)",
      ],
      holds: ({ connection }) => same("at the client", connection?.toClient, "bye(end)"),
    },
  ],
  proxy_on_http_call_response: [
    {
      what: "on the root context: token, headers, bytes, trailers",
      callbacks: {
        proxy_on_request_headers: { calls: [call("proxy_http_call", "plain", head, "", "", 1000)] },
        proxy_on_http_call_response: {},
      },
      play: [{ request: {} }, { until: "proxy_on_http_call_response" }],
      of: /http_call/,
      trace: ["proxy_on_http_call_response(1,#,#,3,0)"],
    },
    {
      what: "zeros for a call that fails",
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_http_call", "broken", head, "", "", 1000)],
        },
        proxy_on_http_call_response: {},
      },
      play: [{ request: {} }, { until: "proxy_on_http_call_response" }],
      of: /http_call/,
      trace: ["proxy_on_http_call_response(1,#,0,0,0)"],
    },
  ],
  proxy_on_grpc_receive_initial_metadata: [
    {
      what: "of a stream, on the root context; map 4 has it, and nothing else is there yet",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive_initial_metadata: {
          calls: [
            call("proxy_get_header_map_value", 4, "a"),
            call("proxy_get_header_map_value", 5, "t"),
            call("proxy_get_buffer_bytes", 5, 0, 9),
          ],
        },
      },
      play: grpcUntil("proxy_on_grpc_receive_initial_metadata"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive_initial_metadata(1,#,#)"],
      holds: ({ answers }) => same("answers", answers.slice(3), ["Ok [b]", "BadArgument", "Ok []"]),
    },
  ],
  proxy_on_grpc_receive: [
    {
      what: "for each message of a stream; buffer 5 has it",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive: { calls: [call("proxy_get_buffer_bytes", 5, 0, 9)] },
      },
      play: grpcUntil("proxy_on_grpc_receive", 2),
      of: GRPC,
      trace: ["proxy_on_grpc_receive(1,#,2)", "proxy_on_grpc_receive(1,#,0)"],
    },
    {
      what: "for the answer of a call",
      needs: ["gRPC"],
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_grpc_call", "echo", "s", "m", "", "unary", 1000)],
        },
        proxy_on_grpc_receive: { calls: [call("proxy_get_buffer_bytes", 5, 0, 9)] },
      },
      play: grpcUntil("proxy_on_grpc_receive"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive(1,#,5)"],
      holds: ({ answers }) => same("message", answers.at(-1), "Ok [unary]"),
    },
  ],
  proxy_on_grpc_receive_trailing_metadata: [
    {
      what: "of a stream, behind its messages; map 5 has it",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive: {},
        proxy_on_grpc_receive_trailing_metadata: {
          calls: [
            call("proxy_get_header_map_value", 5, "u"),
            call("proxy_get_header_map_value", 4, "a"),
          ],
        },
      },
      play: grpcUntil("proxy_on_grpc_receive_trailing_metadata"),
      of: GRPC,
      trace: [
        "proxy_on_grpc_receive(1,#,2)",
        "proxy_on_grpc_receive(1,#,0)",
        "proxy_on_grpc_receive_trailing_metadata(1,#,#)",
      ],
      holds: ({ answers }) => same("answers", answers.slice(3), ["Ok [2]", "BadArgument"]),
    },
  ],
  proxy_on_grpc_close: [
    {
      what: "the last of a stream",
      needs: ["gRPC"],
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive_trailing_metadata: {},
        proxy_on_grpc_close: {},
      },
      play: grpcUntil("proxy_on_grpc_close"),
      of: GRPC,
      trace: ["proxy_on_grpc_receive_trailing_metadata(1,#,#)", "proxy_on_grpc_close(1,#,0)"],
    },
    {
      what: "all that comes of a call that failed",
      needs: ["gRPC"],
      callbacks: {
        proxy_on_request_headers: {
          calls: [call("proxy_grpc_call", "denied", "s", "m", "", "unary", 1000)],
        },
        proxy_on_grpc_receive: {},
        proxy_on_grpc_close: { calls: [call("proxy_get_status")] },
      },
      play: grpcUntil("proxy_on_grpc_close"),
      of: GRPC,
      trace: ["proxy_on_grpc_close(1,#,16)"],
      holds: ({ answers }) => same("status", answers.at(-1)?.slice(0, 13), "Ok 16 [denied"),
    },
  ],
  proxy_on_queue_ready: [
    {
      what: "once for each item, after the callback that put it there",
      callbacks: {
        proxy_on_request_headers: { calls: [queue] },
        proxy_on_log: {
          calls: [
            call("proxy_enqueue_shared_queue", told(queue), "a"),
            call("proxy_enqueue_shared_queue", told(queue), "b"),
          ],
        },
        proxy_on_queue_ready: { calls: [call("proxy_dequeue_shared_queue", told(queue))] },
      },
      play: [{ request: {} }, { until: "proxy_on_queue_ready", times: 2 }],
      of: /log|queue/,
      trace: ["proxy_on_log(2)", "proxy_on_queue_ready(1,#)", "proxy_on_queue_ready(1,#)"],
      holds: ({ answers }) => same("the last item", answers.at(-1), "Ok [b]"),
    },
  ],
  proxy_on_foreign_function: [
    {
      what: "is not called: no function of this host calls back",
      verdict: "envoy",
      callbacks: { proxy_on_foreign_function: {}, proxy_on_log: {} },
      request: all,
      trace: ["proxy_on_log(2)"],
    },
  ],
};

function allocates(allocatorName: string): Scene {
  return {
    what: "gives room for what a hostcall tells",
    guest: { allocatorName },
    request: { path: "/room" },
    calls: [[call("proxy_get_header_map_value", 0, ":path"), "Ok [/room]"]],
  };
}
