// What each row of the callbacks' table must show: when it is called, with what, and what its answer
// does. An event is played on a guest that exports the callback; absence and signatures are tested
// for all rows alike.
import { encodePairs, type AbiVersion } from "proxy-wasm-types";
import { expect } from "vitest";
import { call, type CallbackScript } from "./guest.ts";
import type { HostOptions, Played } from "./rig.ts";

export interface CallbackEvent {
  /** What it shows; unique in its case. */
  readonly what: string;
  readonly callbacks: Readonly<Record<string, CallbackScript>>;
  readonly host?: HostOptions;
  readonly play: (played: Played) => void;
  /** The trace of all callbacks; by version where they differ. */
  readonly trace?: readonly string[] | Readonly<Record<AbiVersion, readonly string[]>>;
  readonly holds?: (played: Played) => void;
}

const all = {
  method: "POST",
  headers: { "x-a": "1" },
  body: "request",
  trailers: { t: "1" },
  upstream: { headers: { "x-b": "1" }, body: "response", trailers: { t: "1", u: "2" } },
} as const;

const plays = (played: Played): void => void played.request(all);
const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const tick: CallbackScript = { calls: [call("proxy_set_tick_period_milliseconds", 10)] };
const nothing = (): void => {};

/** What a header callback is told: the end of stream since 0.2.0. */
function headers(name: string, context: number, count: number): Record<AbiVersion, string[]> {
  const old = `${name}(${context},${count})`;
  const now = `${name}(${context},${count},0)`;
  return { "0.1.0": [old], "0.2.0": [now], "0.2.1": [now] };
}

/** Paused, it lets nothing through until a tick continues it. */
function pausedIn(name: string, type: 0 | 1, version: AbiVersion): CallbackEvent {
  const direction = type === 0 ? "request" : "response";
  const go =
    version === "0.1.0" ? call(`proxy_continue_${direction}`) : call("proxy_continue_stream", type);
  return {
    what: "the answer Pause holds the stream until it is continued",
    callbacks: {
      proxy_on_configure: tick,
      [name]: { answer: 1 },
      proxy_on_tick: { calls: [call("proxy_set_effective_context", 2), go] },
    },
    play: (played) => {
      // Behind a paused body, trailers would let it go.
      const { trailers, upstream, ...rest } = all;
      const { trailers: _, ...answer } = upstream;
      const isBody = name.endsWith("body");
      const request = isBody ? { ...rest, upstream: answer } : { ...rest, trailers, upstream };
      const exchange = played.request(request);
      const isOut = type === 0 ? exchange.upstreamRequest !== null : exchange.status !== 0;
      expect(isOut).toBe(!name.endsWith("headers"));
      expect(exchange.isOver).toBe(false);
      played.host.tick(12);
      expect(exchange.isOver).toBe(true);
      expect(exchange.text).toBe("response");
      expect(exchange.upstreamRequest?.body.toString()).toBe("request");
      expect(exchange.upstreamRequest?.trailers).toEqual(isBody ? {} : { t: "1" });
    },
  };
}

/** A stream (token 6) with two messages, which come back. */
const grpcCalls = [
  call("proxy_grpc_stream", "grpc", "s", "m", ""),
  call("proxy_grpc_send", 6, "m1", 0),
  call("proxy_grpc_send", 6, "", 1),
];
const grpcStream = {
  host: {
    clusters: {
      grpc: { status: 0, headers: { i: "1" }, trailers: { t: "1", u: "2" } },
      denied: { status: 16, body: "denied" },
    },
  },
  callbacks: { proxy_on_configure: { calls: grpcCalls } },
  play: nothing,
};

export type CallbackCases = Readonly<
  Record<string, (version: AbiVersion) => readonly CallbackEvent[]>
>;

const one = (event: CallbackEvent) => (): readonly CallbackEvent[] => [event];

export const callbackCases: CallbackCases = {
  proxy_on_context_create: one({
    what: "a root context has no parent, a stream's is the root",
    callbacks: { proxy_on_context_create: {} },
    play: (played) => {
      played.request();
      played.request();
    },
    trace: [1, 2, 3].map((id) => `proxy_on_context_create(${id},${id === 1 ? 0 : 1})`),
  }),
  proxy_on_vm_start: one({
    what: "with the root context and the size of the VM's configuration",
    callbacks: { proxy_on_context_create: {}, proxy_on_vm_start: {}, proxy_on_configure: {} },
    host: { vmConfig: "vm!" },
    play: nothing,
    trace: ["proxy_on_context_create(1,0)", "proxy_on_vm_start(1,3)", "proxy_on_configure(1,0)"],
  }),
  proxy_validate_configuration: one({
    what: "is never called, as in Envoy 1.40",
    callbacks: { proxy_validate_configuration: {}, proxy_on_configure: {} },
    play: plays,
    trace: ["proxy_on_configure(1,0)"],
  }),
  proxy_on_configure: one({
    what: "with the size of the plugin's configuration",
    callbacks: { proxy_on_configure: {} },
    host: { config: "plugin" },
    play: nothing,
    trace: ["proxy_on_configure(1,6)"],
  }),
  proxy_on_done: (version) => [
    {
      what: "a stream's answer is ignored, a root context's counts",
      callbacks: {
        proxy_on_done: { answer: 0 },
        proxy_on_log: {},
        proxy_on_delete: {},
        proxy_on_request_headers: {},
      },
      play: (played) => {
        played.request();
        played.host.plugin.drain();
      },
      trace: [
        version === "0.1.0" ? "proxy_on_request_headers(2,4)" : "proxy_on_request_headers(2,4,1)",
        "proxy_on_log(2)",
        "proxy_on_done(2)",
        "proxy_on_delete(2)",
        "proxy_on_done(1)",
      ],
    },
    {
      what: "true deletes the root context",
      callbacks: { proxy_on_done: {}, proxy_on_delete: {} },
      play: (played) => played.host.plugin.drain(),
      trace: ["proxy_on_done(1)", "proxy_on_delete(1)"],
    },
  ],
  proxy_on_log: one({
    what: "once for each stream, none for the root",
    callbacks: { proxy_on_log: {} },
    play: (played) => {
      played.request();
      played.request();
      played.host.plugin.drain();
    },
    trace: ["proxy_on_log(2)", "proxy_on_log(3)"],
  }),
  proxy_on_delete: one({
    what: "last of all, once for each context",
    callbacks: { proxy_on_delete: {}, proxy_on_log: {} },
    play: (played) => {
      played.request();
      played.host.plugin.drain();
    },
    trace: ["proxy_on_log(2)", "proxy_on_delete(2)", "proxy_on_delete(1)"],
  }),
  proxy_on_tick: one({
    what: "once a period, on the root context",
    callbacks: { proxy_on_configure: tick, proxy_on_tick: {} },
    play: (played) => played.host.tick(25),
    trace: ["proxy_on_configure(1,0)", "proxy_on_tick(1)", "proxy_on_tick(1)"],
  }),
  proxy_on_request_headers: (version) => [
    {
      what: "with the number of entries, pseudo headers among them",
      callbacks: { proxy_on_request_headers: {} },
      play: plays,
      trace: headers("proxy_on_request_headers", 2, 5),
    },
    pausedIn("proxy_on_request_headers", 0, version),
  ],
  proxy_on_request_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_request_body: {} },
      play: (played) => void played.request({ ...all, body: ["ab", "cde"] }),
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,3,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      callbacks: { proxy_on_request_body: {} },
      play: (played) => void played.request({ method: "POST", body: "ab" }),
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,0,1)"],
    },
    {
      what: "paused, the next size is that of all that is held",
      callbacks: { proxy_on_request_body: { answer: 1 } },
      play: (played) => void played.request({ ...all, body: ["ab", "cde"] }),
      trace: ["proxy_on_request_body(2,2,0)", "proxy_on_request_body(2,5,0)"],
    },
    pausedIn("proxy_on_request_body", 0, version),
  ],
  proxy_on_request_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_request_trailers: {} },
      play: plays,
      trace: ["proxy_on_request_trailers(2,1)"],
    },
    pausedIn("proxy_on_request_trailers", 0, version),
  ],
  proxy_on_request_metadata: one({
    what: "does not come where there is no METADATA",
    callbacks: { proxy_on_request_metadata: {}, proxy_on_request_trailers: {} },
    play: plays,
    trace: ["proxy_on_request_trailers(2,1)"],
  }),
  proxy_on_response_headers: (version) => [
    {
      what: "with the number of entries, the status among them",
      callbacks: { proxy_on_response_headers: {} },
      play: plays,
      trace: headers("proxy_on_response_headers", 2, 2),
    },
    pausedIn("proxy_on_response_headers", 1, version),
  ],
  proxy_on_response_body: (version) => [
    {
      what: "piece by piece; behind the last one come trailers",
      callbacks: { proxy_on_response_body: {} },
      play: plays,
      trace: ["proxy_on_response_body(2,8,0)"],
    },
    {
      what: "the end of an HTTP/1 body without trailers comes by itself",
      callbacks: { proxy_on_response_body: {} },
      play: (played) => void played.request({ upstream: { body: "ab" } }),
      trace: ["proxy_on_response_body(2,2,0)", "proxy_on_response_body(2,0,1)"],
    },
    pausedIn("proxy_on_response_body", 1, version),
  ],
  proxy_on_response_trailers: (version) => [
    {
      what: "with the number of entries",
      callbacks: { proxy_on_response_trailers: {} },
      play: plays,
      trace: ["proxy_on_response_trailers(2,2)"],
    },
    pausedIn("proxy_on_response_trailers", 1, version),
  ],
  proxy_on_response_metadata: one({
    what: "does not come where there is no METADATA",
    callbacks: { proxy_on_response_metadata: {}, proxy_on_response_trailers: {} },
    play: plays,
    trace: ["proxy_on_response_trailers(2,2)"],
  }),
  proxy_on_new_connection: () => [
    {
      what: "before anything else of a connection",
      callbacks: { proxy_on_context_create: {}, proxy_on_new_connection: {} },
      play: (played) => {
        expect(played.host.connect().toServer).toBe("(new)");
      },
      trace: [
        "proxy_on_context_create(1,0)",
        "proxy_on_context_create(2,1)",
        "proxy_on_new_connection(2)",
      ],
    },
    {
      what: "the answer Pause keeps it from the next filter until bytes come",
      callbacks: { proxy_on_new_connection: { answer: 1 } },
      play: (played) => {
        const connection = played.host.connect();
        expect(connection.toServer).toBe("");
        connection.clientSends("a");
        expect(connection.toServer).toBe("(new)a");
      },
    },
  ],
  proxy_on_downstream_data: () => [
    {
      what: "with the number of bytes and the end",
      callbacks: { proxy_on_downstream_data: {} },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientSends("abc");
        connection.clientEnds();
        expect(connection.toServer).toBe("(new)abc(end)");
      },
      trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_data(2,0,1)"],
    },
    {
      what: "paused, what came stays, and the next size counts it",
      callbacks: { proxy_on_downstream_data: { answer: 1 } },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientSends("ab");
        connection.clientSends("cde");
        expect(connection.toServer).toBe("(new)");
      },
      trace: ["proxy_on_downstream_data(2,2,0)", "proxy_on_downstream_data(2,5,0)"],
    },
    {
      what: "buffer 2 can be read and changed, and the bytes continued",
      callbacks: {
        proxy_on_downstream_data: {
          answer: 1,
          calls: [
            call("proxy_get_buffer_bytes", 2, 0, 100),
            call("proxy_set_buffer_bytes", 2, 0, 1, "A"),
            call("proxy_get_buffer_status", 3),
            call("proxy_set_buffer_bytes", 3, 0, 0, "x"),
            call("proxy_continue_stream", 2),
          ],
        },
      },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientSends("abc");
        expect(connection.toServer).toBe("(new)Abc");
      },
      holds: ({ answers }) => {
        expect(answers).toEqual(["Ok [abc]", "Ok", "Ok 0 0", "BadArgument", "Ok"]);
      },
    },
    {
      what: "the connection can be closed",
      callbacks: {
        proxy_on_downstream_data: { answer: 1, calls: [call("proxy_close_stream", 2)] },
        proxy_on_downstream_connection_close: {},
      },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientSends("abc");
        expect(connection.closed).toBe("after flush");
        expect(connection.toServer).toBe("(new)");
      },
      trace: ["proxy_on_downstream_data(2,3,0)", "proxy_on_downstream_connection_close(2,1)"],
    },
  ],
  proxy_on_downstream_connection_close: () => [
    {
      what: "the peer's too when both sides have ended",
      callbacks: { proxy_on_downstream_connection_close: {} },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientEnds();
        connection.serverEnds();
        connection.close(false);
      },
      trace: ["proxy_on_downstream_connection_close(2,2)"],
    },
    {
      what: "by the peer; then on_done, on_log and on_delete in this order",
      callbacks: {
        proxy_on_downstream_connection_close: {},
        proxy_on_done: { answer: 0 },
        proxy_on_log: { calls: [call("proxy_get_property", "connection\0id")] },
        proxy_on_delete: {},
      },
      play: (played) => {
        const connection = played.host.connect();
        connection.clientSends("abc");
        connection.close(true);
        expect(played.host.contexts).toBe(1);
        expect(played.answers[0]).toMatch(/^Ok/);
      },
      trace: [
        "proxy_on_downstream_connection_close(2,2)",
        "proxy_on_done(2)",
        "proxy_on_log(2)",
        "proxy_on_delete(2)",
      ],
    },
  ],
  proxy_on_upstream_data: () => [
    {
      what: "with the number of bytes; buffer 3 can be changed",
      callbacks: {
        proxy_on_upstream_data: {
          calls: [
            call("proxy_get_buffer_bytes", 3, 0, 100),
            call("proxy_set_buffer_bytes", 3, 99, 0, "!"),
          ],
        },
      },
      play: (played) => {
        const connection = played.host.connect();
        connection.serverSends("hello");
        expect(connection.toClient).toBe("hello!");
        expect(played.answers).toEqual(["Ok [hello]", "Ok"]);
      },
      trace: ["proxy_on_upstream_data(2,5,0)"],
    },
  ],
  proxy_on_upstream_connection_close: () => [
    {
      what: "once, behind the data callback that is told the end",
      callbacks: { proxy_on_upstream_data: {}, proxy_on_upstream_connection_close: {} },
      play: (played) => {
        const connection = played.host.connect();
        connection.serverSends("bye");
        connection.serverEnds();
        expect(connection.toClient).toBe("bye(end)");
      },
      trace: [
        "proxy_on_upstream_data(2,3,0)",
        "proxy_on_upstream_data(2,0,1)",
        "proxy_on_upstream_connection_close(2,0)",
      ],
    },
  ],
  proxy_on_http_call_response: one({
    what: "on the root context: token, headers, bytes, trailers; zeros for a reset",
    host: {
      clusters: { up: { status: 200, headers: { a: "b" }, body: "xyz" }, broken: "reset" },
    },
    callbacks: {
      proxy_on_configure: {
        calls: [
          call("proxy_http_call", "up", head, "", "", 10),
          call("proxy_http_call", "broken", head, "", "", 10),
        ],
      },
      proxy_on_http_call_response: {},
    },
    play: nothing,
    trace: [
      "proxy_on_configure(1,0)",
      "proxy_on_http_call_response(1,4,2,3,0)",
      "proxy_on_http_call_response(1,8,0,0,0)",
    ],
  }),
  proxy_on_grpc_receive_initial_metadata: () => [
    {
      what: "of a stream, on the root context; map 4 has it, and nothing else is there yet",
      ...grpcStream,
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive_initial_metadata: {
          calls: [
            call("proxy_get_header_map_value", 4, "i"),
            call("proxy_get_header_map_value", 5, "t"),
            call("proxy_get_buffer_bytes", 5, 0, 9),
          ],
        },
      },
      trace: ["proxy_on_configure(1,0)", "proxy_on_grpc_receive_initial_metadata(1,6,1)"],
      holds: ({ answers }) => {
        expect(answers.slice(3)).toEqual(["Ok [1]", "BadArgument", "Ok []"]);
      },
    },
  ],
  proxy_on_grpc_receive: () => [
    {
      what: "for each message of a stream, and for the answer of a call; buffer 5 has it",
      ...grpcStream,
      callbacks: {
        proxy_on_configure: {
          calls: [...grpcCalls, call("proxy_grpc_call", "grpc", "s", "m", "", "unary", 10)],
        },
        proxy_on_grpc_receive: { calls: [call("proxy_get_buffer_bytes", 5, 0, 9)] },
      },
      trace: [
        "proxy_on_configure(1,0)",
        "proxy_on_grpc_receive(1,6,2)",
        "proxy_on_grpc_receive(1,6,0)",
        "proxy_on_grpc_receive(1,9,5)",
      ],
      holds: ({ answers }) => expect(answers.at(-1)).toBe("Ok [unary]"),
    },
  ],
  proxy_on_grpc_receive_trailing_metadata: () => [
    {
      what: "of a stream, behind its messages; map 5 has it",
      ...grpcStream,
      callbacks: {
        ...grpcStream.callbacks,
        proxy_on_grpc_receive: {},
        proxy_on_grpc_receive_trailing_metadata: {
          calls: [
            call("proxy_get_header_map_value", 5, "u"),
            call("proxy_get_header_map_value", 4, "i"),
          ],
        },
      },
      trace: [
        "proxy_on_configure(1,0)",
        "proxy_on_grpc_receive(1,6,2)",
        "proxy_on_grpc_receive(1,6,0)",
        "proxy_on_grpc_receive_trailing_metadata(1,6,2)",
      ],
      holds: ({ answers }) => expect(answers.slice(3)).toEqual(["Ok [2]", "BadArgument"]),
    },
  ],
  proxy_on_grpc_close: () => [
    {
      what: "the last of a stream, and all that comes of a call that failed; the stream is gone then",
      ...grpcStream,
      callbacks: {
        proxy_on_configure: {
          calls: [...grpcCalls, call("proxy_grpc_call", "denied", "s", "m", "", "unary", 10)],
        },
        proxy_on_grpc_receive_trailing_metadata: {},
        proxy_on_grpc_close: { calls: [call("proxy_get_status")] },
      },
      trace: [
        "proxy_on_configure(1,0)",
        "proxy_on_grpc_receive_trailing_metadata(1,6,2)",
        "proxy_on_grpc_close(1,6,0)",
        "proxy_on_grpc_close(1,9,16)",
      ],
      holds: ({ answers }) => expect(answers.at(-1)).toBe("Ok 16 [denied]"),
    },
  ],
  proxy_on_queue_ready: one({
    what: "once for each item, after the callback that put it there",
    callbacks: {
      proxy_on_configure: { calls: [call("proxy_register_shared_queue", "queue")] },
      proxy_on_log: {
        calls: [
          call("proxy_enqueue_shared_queue", 1, "a"),
          call("proxy_enqueue_shared_queue", 1, "b"),
        ],
      },
      proxy_on_queue_ready: { calls: [call("proxy_dequeue_shared_queue", 1)] },
    },
    play: (played) => {
      played.request();
      played.host.tick(10);
    },
    trace: [
      "proxy_on_configure(1,0)",
      "proxy_on_log(2)",
      "proxy_on_queue_ready(1,1)",
      "proxy_on_queue_ready(1,1)",
    ],
  }),
  proxy_on_foreign_function: one({
    what: "is not called: no function of this host calls back",
    callbacks: { proxy_on_foreign_function: {}, proxy_on_log: {} },
    play: plays,
    trace: ["proxy_on_log(2)"],
  }),
};
