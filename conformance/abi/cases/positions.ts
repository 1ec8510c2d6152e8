// Plugins that stand in no chain: access loggers, and services of the process.
import { encodePairs } from "proxy-wasm-types";
import type { Case, Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call, told } from "../guest.ts";
import { makeCases, type Row } from "../make-case.ts";

const silent = { verdict: "envoy", spec: "Nothing: it is the host's configuration." } as const;
const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);

function row(name: string, doc: string): Row {
  return { name, chapter: "context-lifecycle", doc, since: "0.1.0", until: null };
}

const counter = call("proxy_define_metric", 0, "$CASE.n");
const queue = call("proxy_register_shared_queue", "queue");
const log = { position: "log", needs: ["access logger"] } as const;

const loggers: readonly Scene[] = [
  {
    what: "one on_log for each stream, and nothing else of it",
    ...log,
    callbacks: {
      proxy_on_configure: {},
      proxy_on_request_headers: {},
      proxy_on_response_headers: {},
      proxy_on_log: {},
      proxy_on_done: {},
    },
    play: [{ request: {} }, { request: {} }],
    trace: ["proxy_on_configure(1,0)", "proxy_on_log(1)", "proxy_on_log(1)"],
  },
  {
    what: "it reads headers of both directions",
    ...log,
    in: "proxy_on_log",
    request: { upstream: { status: 207, headers: { "x-b": "1" } } },
    calls: [
      [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
      [call("proxy_get_header_map_value", 0, "x-a"), "Ok [1]"],
      [call("proxy_get_header_map_value", 2, ":status"), "Ok [207]"],
      [call("proxy_get_header_map_value", 2, "x-b"), "Ok [1]"],
    ],
  },
  {
    what: "it reads properties",
    ...log,
    in: "proxy_on_log",
    calls: [
      [call("proxy_get_property", "request\0path"), "Ok [/a?b=c]"],
      [call("proxy_get_property", "response\0code"), "Ok [%c8%00%00%00%00%00%00%00]"],
    ],
  },
  {
    what: "it changes nothing",
    ...log,
    in: "proxy_on_log",
    calls: [
      [call("proxy_add_header_map_value", 0, "a", "b"), "BadArgument"],
      [call("proxy_add_header_map_value", 2, "a", "b"), "BadArgument"],
    ],
    exchange: { status: 200, headers: { a: null } },
  },
  {
    what: "it reads trailers of the response",
    ...log,
    in: "proxy_on_log",
    request: { upstream: { body: "abc", trailers: { t: "1" } } },
    calls: [[call("proxy_get_header_map_value", 3, "t"), "Ok [1]"]],
  },
  {
    what: "it counts, in the host's stats",
    ...log,
    needs: ["access logger", "metrics"],
    in: "proxy_on_log",
    calls: [
      [counter, "Ok #"],
      [call("proxy_increment_metric", told(counter), 2n), "Ok"],
    ],
    holds: ({ told: { metrics, guest } }) => same("stat", metrics.get(`${guest.tag}.n`), 2),
  },
  {
    what: "it calls a cluster",
    ...log,
    callbacks: {
      proxy_on_log: { calls: [call("proxy_http_call", "plain", head, "", "", 20_000)] },
      proxy_on_http_call_response: { calls: [call("proxy_get_buffer_bytes", 4, 0, 100)] },
    },
    play: [{ request: {} }, { until: "proxy_on_http_call_response" }],
    of: /http_call/,
    trace: ["proxy_on_http_call_response(1,#,#,3,0)"],
    holds: ({ answers }) => same("body", answers.at(-1), "Ok [xyz]"),
  },
  {
    what: "its plugin's configuration, and ticks",
    ...log,
    plugin: { config: "plugin" },
    callbacks: {
      proxy_on_configure: { calls: [call("proxy_set_tick_period_milliseconds", 10)] },
      proxy_on_tick: { calls: [call("proxy_set_tick_period_milliseconds", 0)] },
    },
    play: [{ until: "proxy_on_tick" }],
    trace: ["proxy_on_configure(1,6)", "proxy_on_tick(1)"],
  },
];

const service = { position: "service", needs: ["service"], play: [] } as const;

const services: readonly Scene[] = [
  {
    what: "starts, and gets its configuration",
    ...service,
    plugin: { config: "plugin", vmConfig: "vm" },
    callbacks: { proxy_on_context_create: {}, proxy_on_vm_start: {}, proxy_on_configure: {} },
    trace: ["proxy_on_context_create(1,0)", "proxy_on_vm_start(1,2)", "proxy_on_configure(1,6)"],
  },
  {
    what: "ticks",
    ...service,
    callbacks: {
      proxy_on_configure: { calls: [call("proxy_set_tick_period_milliseconds", 10)] },
      proxy_on_tick: {},
    },
    play: [{ until: "proxy_on_tick", times: 3 }],
    trace: ["proxy_on_configure(1,0)", "proxy_on_tick(1)"],
  },
  {
    what: "calls a cluster",
    ...service,
    callbacks: {
      proxy_on_configure: { calls: [call("proxy_set_tick_period_milliseconds", 50)] },
      proxy_on_tick: {
        calls: [
          call("proxy_set_tick_period_milliseconds", 0),
          call("proxy_http_call", "plain", head, "", "", 20_000),
        ],
      },
      proxy_on_http_call_response: { calls: [call("proxy_get_buffer_bytes", 4, 0, 100)] },
    },
    play: [{ until: "proxy_on_http_call_response" }],
    of: /http_call/,
    trace: ["proxy_on_http_call_response(1,#,#,3,0)"],
    holds: ({ answers }) => same("body", answers.at(-1), "Ok [xyz]"),
  },
  {
    what: "has metrics",
    ...service,
    needs: ["service", "metrics"],
    callbacks: { proxy_on_configure: { calls: [call("proxy_define_metric", 1, "$CASE.g")] } },
    holds: ({ answers, told: { metrics, guest } }) => {
      same("answer", answers[0]?.slice(0, 2), "Ok");
      same("stat", metrics.get(`${guest.tag}.g`), 0);
    },
  },
  {
    what: "keeps data, and reads it later",
    ...service,
    callbacks: {
      proxy_on_configure: {
        calls: [
          call("proxy_set_shared_data", "key", "value", 0),
          call("proxy_set_tick_period_milliseconds", 10),
        ],
      },
      proxy_on_tick: {
        calls: [
          call("proxy_get_shared_data", "key"),
          call("proxy_set_tick_period_milliseconds", 0),
        ],
      },
    },
    play: [{ until: "proxy_on_tick" }],
    holds: ({ answers }) => same("data", answers[2]?.slice(0, 10), "Ok [value]"),
  },
  {
    what: "puts items into its own queue",
    ...service,
    callbacks: {
      proxy_on_configure: {
        calls: [queue, call("proxy_enqueue_shared_queue", told(queue), "item")],
      },
      proxy_on_queue_ready: { calls: [call("proxy_dequeue_shared_queue", told(queue))] },
    },
    play: [{ until: "proxy_on_queue_ready" }],
    holds: ({ answers }) => same("item", answers.at(-1), "Ok [item]"),
  },
  {
    what: "false refuses it",
    ...service,
    callbacks: { proxy_on_configure: { answer: 0 } },
    isRefused: true,
  },
];

export function positionCases(): Case[] {
  return [
    ...makeCases(row("access-logger", "A plugin logs the streams of a listener."), loggers, silent),
    ...makeCases(row("service", "A plugin of the process, without streams."), services, silent),
  ];
}
