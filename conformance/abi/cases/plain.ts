// Logging, clocks and timers, contexts.
import { encodePairs } from "proxy-wasm-types";
import type { HostcallCases } from "../case.ts";
import { matching, same } from "../expect.ts";
import { call, raw } from "../guest.ts";

/** A wall clock of this century, in nanoseconds. */
const NOW = /^Ok 1[7-9]\d{17}$/;
const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);
const tickSoon = { calls: [call("proxy_set_tick_period_milliseconds", 10)] };

export const plainCases: HostcallCases = {
  proxy_log: {
    good: call("proxy_log", 2, "text"),
    scenes: [
      {
        what: "each level, then one too many",
        needs: ["trace log"],
        calls: [
          [call("proxy_log", 0, "trace"), "Ok"],
          [call("proxy_log", 1, "debug"), "Ok"],
          [call("proxy_log", 2, "info"), "Ok"],
          [call("proxy_log", 3, "warn"), "Ok"],
          [call("proxy_log", 4, "error"), "Ok"],
          [call("proxy_log", 5, "critical"), "Ok"],
          [call("proxy_log", 6, "none"), "BadArgument"],
          [call("proxy_log", -1, "none"), "BadArgument"],
        ],
        holds: ({ logs }) => {
          const told = logs.map((line) => `${line.level} ${line.message}`);
          const levels = ["trace", "debug", "info", "warn", "error", "critical"];
          same(
            "lines",
            told,
            levels.map((level) => `${level} ${level}`),
          );
        },
      },
      {
        what: "a level that is not logged is no error",
        needs: ["error log"],
        calls: [[call("proxy_log", 2, "info"), "Ok"]],
        holds: ({ logs }) => same("lines", logs, []),
      },
      {
        what: "no text at all",
        calls: [[call("proxy_log", 2, ""), "Ok"]],
      },
    ],
  },

  proxy_get_log_level: {
    good: call("proxy_get_log_level"),
    scenes: [
      {
        what: "trace is 0",
        needs: ["trace log"],
        calls: [[call("proxy_get_log_level"), "Ok 0"]],
      },
      {
        what: "the lowest that is logged",
        needs: ["error log"],
        calls: [[call("proxy_get_log_level"), "Ok 4"]],
      },
    ],
  },

  proxy_get_current_time_nanoseconds: {
    good: call("proxy_get_current_time_nanoseconds"),
    scenes: [
      {
        what: "nanoseconds since the epoch",
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_get_current_time_nanoseconds")] },
        },
        holds: ({ answers }) => matching("time", answers[0], NOW),
      },
    ],
  },

  proxy_set_tick_period_milliseconds: {
    good: call("proxy_set_tick_period_milliseconds", 10),
    scenes: [
      {
        what: "ticks come after the period, again and again",
        in: "proxy_on_configure",
        calls: [[call("proxy_set_tick_period_milliseconds", 50), "Ok"]],
        callbacks: { proxy_on_tick: {} },
        play: [{ until: "proxy_on_tick", times: 3 }],
        trace: ["proxy_on_configure(1,0)", "proxy_on_tick(1)"],
      },
      {
        what: "0 ends them",
        in: "proxy_on_tick",
        callbacks: { proxy_on_configure: tickSoon, proxy_on_request_headers: {} },
        calls: [[call("proxy_set_tick_period_milliseconds", 0), "Ok"]],
        play: [{ until: "proxy_on_tick" }, { pauseMs: 60 }, { request: {} }],
        holds: ({ told }) => {
          const counts = new Map<string, number>();
          for (const { instance, callback } of told.reports) {
            if (callback.name !== "proxy_on_tick") continue;
            counts.set(instance, (counts.get(instance) ?? 0) + 1);
          }
          same(
            "ticks of each instance",
            [...counts.values()].filter((count) => count !== 1),
            [],
          );
        },
      },
      {
        what: "a stream's call sets the period of its root context",
        calls: [[call("proxy_set_tick_period_milliseconds", 20), "Ok"]],
        callbacks: { proxy_on_tick: {} },
        play: [{ request: {} }, { until: "proxy_on_tick" }],
        order: ["proxy_on_request_headers", "proxy_on_tick(1)"],
      },
    ],
  },

  proxy_set_effective_context: {
    good: call("proxy_set_effective_context", 1),
    scenes: [
      {
        what: "of no context, of the root's, and back",
        verdict: "envoy",
        spec: "Contexts are numbered as the host likes; Envoy's root is 1, and its first stream 2.",
        calls: [
          [call("proxy_set_effective_context", 99_999), "BadArgument"],
          [call("proxy_set_effective_context", -1), "BadArgument"],
          [call("proxy_set_effective_context", 1), "Ok"],
          [call("proxy_get_header_map_value", 0, ":path"), "BadArgument"],
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
        ],
      },
      {
        what: "0 is no plugin's",
        envoy: "Ok: 0 is the context of its VM.",
        calls: [[call("proxy_set_effective_context", 0), "BadArgument"]],
      },
      {
        what: "until the callback returns",
        calls: [[call("proxy_set_effective_context", 1), "Ok"]],
        callbacks: {
          proxy_on_response_headers: { calls: [call("proxy_get_header_map_value", 2, ":status")] },
        },
        holds: ({ answers }) => same("status header", answers[0], "Ok [200]"),
      },
    ],
  },

  proxy_done: {
    good: call("proxy_done"),
    in: "proxy_on_tick",
    callbacks: {
      proxy_on_configure: tickSoon,
      proxy_on_done: { answer: 0 },
      proxy_on_delete: {},
    },
    scenes: [
      { what: "of what does not wait", calls: [[call("proxy_done"), "NotFound"]] },
      {
        what: "a tick ends a root context that answered false, once",
        verdict: "either",
        envoy: "Nothing comes to a plugin any more that is gone from the configuration.",
        needs: ["drain"],
        in: "proxy_on_done",
        callbacks: {
          proxy_on_done: { answer: 0, calls: [call("proxy_set_tick_period_milliseconds", 10)] },
          proxy_on_tick: { calls: [call("proxy_done"), call("proxy_done")] },
          proxy_on_delete: {},
        },
        play: [{ drain: true }, { until: "proxy_on_delete" }],
        trace: ["proxy_on_done(1)", "proxy_on_tick(1)", "proxy_on_delete(1)"],
        holds: ({ answers }) => same("answers", answers.slice(1), ["Ok", "Ok"]),
      },
      {
        what: "the answer of a callout ends a root context that waits for it",
        envoy: "Nothing comes to a plugin any more that is gone from the configuration.",
        needs: ["drain"],
        callbacks: {
          proxy_on_done: {
            answer: 0,
            calls: [call("proxy_http_call", "plain", head, "", "", 20_000)],
          },
          proxy_on_http_call_response: { calls: [call("proxy_done")] },
          proxy_on_delete: {},
        },
        play: [{ drain: true }, { until: "proxy_on_delete" }],
        trace: ["proxy_on_done(1)", "proxy_on_http_call_response(1,#,#,3,0)", "proxy_on_delete(1)"],
        holds: ({ answers }) => same("answer", answers[1], "Ok"),
      },
    ],
  },

  proxy_get_configuration: {
    good: call("proxy_get_configuration"),
    in: "proxy_on_configure",
    plugin: { config: "plugin", vmConfig: "vm" },
    scenes: [
      {
        what: "the plugin's in on_configure",
        in: "proxy_on_configure",
        plugin: { config: "plugin", vmConfig: "vm" },
        calls: [[call("proxy_get_configuration"), "Ok [plugin]"]],
      },
      {
        what: "the VM's elsewhere",
        plugin: { config: "plugin", vmConfig: "vm" },
        calls: [
          [call("proxy_get_configuration"), "Ok [vm]"],
          [raw("proxy_get_configuration", 0, 4), "Ok"],
        ],
      },
      { what: "none", calls: [[call("proxy_get_configuration"), "Ok []"]] },
    ],
  },
};
