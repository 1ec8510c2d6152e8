// What comes of guests that fail, of plugins that may not do everything, and of modules in other shapes.
import type { Case, Policy, Reasons, Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call } from "../guest.ts";
import { makeCases, type Row } from "../make-case.ts";

const post = { method: "POST", body: "x", trailers: { t: "1" } } as const;
const plain = { method: "GET" } as const;
const answered = { body: "answer", trailers: { t: "1" } } as const;

function row(name: string, doc: string): Row {
  return { name, chapter: "integration", doc, since: "0.1.0", until: null };
}

const failing = row("failure-policy", "What a host does with streams whose guest has failed.");
const capability = row("capabilities", "What a plugin may call, and what it is told.");
const headersStop = row("stop-iteration", "Headers that wait while bodies are told.");
const several = row("streams", "Several streams of one plugin.");

/** One request that the guest fails in, and what it is answered. */
function trapIn(name: string, fields: Partial<Scene>): Scene {
  return {
    what: `a trap in ${name.replaceAll("_", " ")}`,
    callbacks: { [`proxy_on_${name}`]: { traps: true } },
    plugin: { failurePolicy: "closed" },
    ...fields,
  };
}

const traps: readonly Scene[] = [
  trapIn("request_headers", { exchange: { status: 503, upstream: null } }),
  trapIn("request_body", { request: post, exchange: { status: 503 } }),
  trapIn("request_trailers", { request: post, exchange: { status: 503 } }),
  trapIn("response_headers", { exchange: { status: 503, body: "" } }),
  trapIn("response_body", {
    request: { upstream: answered },
    exchange: { isComplete: false },
  }),
  trapIn("response_trailers", {
    request: { upstream: answered },
    exchange: { isComplete: false },
  }),
  trapIn("log", { exchange: { status: 200 } }),
  trapIn("context_create", {
    verdict: "extension",
    envoy: "Starts, and answers all streams with 503.",
    isRefused: true,
  }),
];

/** A guest that fails in trailers; then a stream without any. */
function afterTrap(failurePolicy: Policy | undefined, fields: Partial<Scene>): Scene {
  return {
    what: `the next stream, ${failurePolicy ?? "without a policy"}`,
    callbacks: {
      proxy_on_request_headers: {
        calls: [call("proxy_add_header_map_value", 0, "x-guest", "was here")],
      },
      proxy_on_request_trailers: { traps: true },
    },
    ...(failurePolicy === undefined ? {} : { plugin: { failurePolicy } }),
    play: [{ request: post }, { request: plain }],
    ...fields,
  };
}

const policies: readonly Scene[] = [
  afterTrap("closed", {
    exchange: { status: 503, upstream: null },
    holds: ({ told }) => same("the stream that trapped", told.exchanges[0]?.status, 503),
  }),
  afterTrap("open", {
    exchange: { status: 200, upstream: { headers: { "x-guest": null } } },
    holds: ({ told }) => same("the stream that trapped", told.exchanges[0]?.status, 503),
  }),
  afterTrap("reload", {
    play: [{ request: post }, { pauseMs: 2000 }, { request: plain }],
    exchange: { status: 200, upstream: { headers: { "x-guest": "was here" } } },
  }),
];

const capabilities: readonly Scene[] = [
  {
    what: "a hostcall that is not allowed",
    verdict: "envoy",
    plugin: {
      capabilities: [
        "proxy_log",
        "proxy_get_current_time_nanoseconds",
        "proxy_on_request_headers",
        "proxy_get_header_map_value",
      ],
    },
    calls: [
      [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
      [call("proxy_add_header_map_value", 0, "a", "b"), "InternalFailure"],
    ],
    exchange: { status: 200, upstream: { headers: { a: null } } },
  },
  {
    what: "a callback that is not allowed does not come",
    verdict: "envoy",
    plugin: {
      capabilities: ["proxy_log", "proxy_get_current_time_nanoseconds", "proxy_on_log"],
    },
    callbacks: { proxy_on_request_headers: { answer: 1 }, proxy_on_log: {} },
    exchange: { status: 200 },
    trace: ["proxy_on_log(#)"],
  },
];

const stopping: readonly Scene[] = [
  {
    what: "the body is told while the headers wait",
    plugin: { stopIteration: true },
    callbacks: { proxy_on_request_headers: { answer: 1 }, proxy_on_request_body: { answer: 0 } },
    request: { ...post, body: "hello" },
    order: ["proxy_on_request_headers", "proxy_on_request_body(2,5,0)"],
    exchange: { status: 200, upstream: { body: "hello" } },
  },
  {
    what: "headers can be changed until they go on",
    plugin: { stopIteration: true },
    callbacks: {
      proxy_on_request_headers: { answer: 1 },
      proxy_on_request_body: { calls: [call("proxy_add_header_map_value", 0, "x-late", "1")] },
    },
    request: { ...post, body: "hello" },
    exchange: { status: 200, upstream: { headers: { "x-late": "1" } } },
  },
  {
    what: "of a response, too",
    plugin: { stopIteration: true },
    callbacks: {
      proxy_on_response_headers: { answer: 1 },
      proxy_on_response_body: {
        calls: [call("proxy_replace_header_map_value", 2, ":status", "299")],
      },
    },
    request: { upstream: answered },
    exchange: { status: 299, body: "answer" },
  },
];

const streams: readonly Scene[] = [
  {
    what: "each has a context of its own",
    callbacks: { proxy_on_context_create: {}, proxy_on_delete: {} },
    play: [{ request: plain }, { request: plain }, { request: plain }],
    trace: [
      "proxy_on_context_create(1,0)",
      ...[2, 3, 4].flatMap((id) => [`proxy_on_context_create(${id},1)`, `proxy_on_delete(${id})`]),
    ],
  },
  {
    what: "a property of one is not that of another",
    calls: [
      [call("proxy_get_property", "mine"), "NotFound"],
      [call("proxy_set_property", "mine", "1"), "Ok"],
    ],
    play: [{ request: plain }, { request: plain }],
  },
  {
    what: "one that waits does not hold another",
    callbacks: {
      proxy_on_request_trailers: { answer: 1 },
      proxy_on_response_headers: {},
    },
    play: [{ request: post, open: true }, { request: plain }],
    of: /response/,
    trace: {
      "0.1.0": ["proxy_on_response_headers(3,2)"],
      "0.2.0": ["proxy_on_response_headers(3,2,1)"],
      "0.2.1": ["proxy_on_response_headers(3,2,1)"],
    },
  },
];

export function failureCases(): Case[] {
  const silent: Reasons = { verdict: "envoy", spec: "Nothing: it is the host's configuration." };
  return [
    ...makeCases(failing, [...traps, ...policies], silent),
    ...makeCases(capability, capabilities, silent),
    ...makeCases(headersStop, stopping, {
      spec: "StopIteration holds the headers; bodies are told.",
    }),
    ...makeCases(several, streams),
  ];
}
