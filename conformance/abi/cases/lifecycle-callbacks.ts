// The life of a guest and of its contexts: starts, allocators, ends, ticks.
import type { AbiVersion } from "proxy-wasm-types";
import type { Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call, type CallbackScript } from "../guest.ts";
import type { Scenes } from "../make-case.ts";

const all = {
  method: "POST",
  headers: { "x-a": "1" },
  body: "request",
  trailers: { t: "1" },
  upstream: { headers: { "x-b": "1" }, body: "response", trailers: { t: "1", u: "2" } },
} as const;

const tick: CallbackScript = { calls: [call("proxy_set_tick_period_milliseconds", 10)] };

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

const drained: Pick<Scene, "play" | "needs"> = {
  play: [{ request: {} }, { drain: true }],
  needs: ["drain"],
};

export const lifecycleCallbacks: Readonly<Record<string, Scenes>> = {
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
};

function allocates(allocatorName: string): Scene {
  return {
    what: "gives room for what a hostcall tells",
    guest: { allocatorName },
    request: { path: "/room" },
    calls: [[call("proxy_get_header_map_value", 0, ":path"), "Ok [/room]"]],
  };
}
