// Logging, clocks and timers, contexts.
import { expect } from "vitest";
import { call, raw } from "../guest.ts";
import type { HostcallCases } from "../case.ts";

/** Where the harness's wall clock stands, in nanoseconds. */
const NOW = /^Ok 17\d{17}$/;

export const plainCases: HostcallCases = {
  proxy_log: {
    good: call("proxy_log", 2, "text"),
    scenes: [
      {
        what: "each level, then one too many",
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
        holds: ({ exchange }) => {
          const told = exchange?.logs.map((line) => `${line.level} ${line.message}`);
          const levels = ["trace", "debug", "info", "warn", "error", "critical"];
          expect(told).toEqual(levels.map((level) => `${level} ${level}`));
        },
      },
      {
        what: "a level that is not logged is no error",
        host: { logLevel: "error" },
        calls: [[call("proxy_log", 2, "info"), "Ok"]],
        holds: ({ exchange }) => expect(exchange?.logs).toEqual([]),
      },
    ],
  },

  proxy_get_log_level: {
    good: call("proxy_get_log_level"),
    scenes: [
      { what: "trace is 0", calls: [[call("proxy_get_log_level"), "Ok 0"]] },
      {
        what: "the lowest that is logged",
        host: { logLevel: "error" },
        calls: [[call("proxy_get_log_level"), "Ok 4"]],
      },
    ],
  },

  proxy_get_current_time_nanoseconds: {
    good: call("proxy_get_current_time_nanoseconds"),
    scenes: [
      {
        what: "nanoseconds since the epoch",
        calls: [],
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_get_current_time_nanoseconds")] },
        },
        holds: ({ answers }) => expect(answers[0]).toMatch(NOW),
      },
    ],
  },

  proxy_set_tick_period_milliseconds: {
    good: call("proxy_set_tick_period_milliseconds", 10),
    scenes: [
      {
        what: "ticks come after the period, until it is 0",
        in: "proxy_on_configure",
        calls: [[call("proxy_set_tick_period_milliseconds", 50), "Ok"]],
        callbacks: {
          proxy_on_tick: {},
          proxy_on_response_headers: { calls: [call("proxy_set_tick_period_milliseconds", 0)] },
        },
        play: (played) => {
          played.host.tick(49);
          expect(played.trace).toEqual(["proxy_on_configure(1,0)"]);
          played.host.tick(110);
          played.request();
          played.host.tick(500);
        },
        holds: ({ trace }) => {
          const ticks = trace.filter((line) => line.startsWith("proxy_on_tick"));
          expect(ticks).toEqual(["proxy_on_tick(1)", "proxy_on_tick(1)", "proxy_on_tick(1)"]);
        },
      },
      {
        what: "a stream's call sets the period of its root context",
        calls: [[call("proxy_set_tick_period_milliseconds", 20), "Ok"]],
        callbacks: { proxy_on_tick: {} },
        play: (played) => {
          played.request();
          played.host.tick(25);
        },
        holds: ({ trace }) => expect(trace.at(-1)).toBe("proxy_on_tick(1)"),
      },
    ],
  },

  proxy_set_effective_context: {
    good: call("proxy_set_effective_context", 1),
    scenes: [
      {
        what: "of no context, of the root's, and back",
        calls: [
          [call("proxy_set_effective_context", 99), "BadArgument"],
          [call("proxy_set_effective_context", 0), "BadArgument"],
          [call("proxy_set_effective_context", -1), "BadArgument"],
          [call("proxy_set_effective_context", 1), "Ok"],
          [call("proxy_get_header_map_value", 0, ":path"), "BadArgument"],
          [call("proxy_set_effective_context", 2), "Ok"],
          [call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"],
        ],
      },
      {
        what: "until the callback returns",
        calls: [[call("proxy_set_effective_context", 1), "Ok"]],
        callbacks: {
          proxy_on_response_headers: { calls: [call("proxy_get_header_map_value", 2, ":status")] },
        },
        holds: ({ answers }) => expect(answers).toContain("Ok [200]"),
      },
    ],
  },

  proxy_done: {
    good: call("proxy_done"),
    in: "proxy_on_tick",
    callbacks: {
      proxy_on_configure: { calls: [call("proxy_set_tick_period_milliseconds", 10)] },
      proxy_on_done: { answer: 0 },
      proxy_on_delete: {},
    },
    scenes: [
      { what: "of what does not wait", calls: [[call("proxy_done"), "NotFound"]] },
      {
        what: "ends a root context that answered false, once",
        in: "proxy_on_tick",
        calls: [
          [call("proxy_done"), "Ok"],
          [call("proxy_done"), "Ok"],
        ],
        callbacks: {
          proxy_on_configure: { calls: [call("proxy_set_tick_period_milliseconds", 10)] },
          proxy_on_done: { answer: 0 },
          proxy_on_delete: {},
        },
        play: (played) => {
          played.host.plugin.drain();
          played.host.tick(50);
        },
        holds: ({ trace }) => {
          const told = ["proxy_on_configure(1,0)", "proxy_on_done(1)", "proxy_on_tick(1)"];
          expect(trace).toEqual([...told, "proxy_on_delete(1)"]);
        },
      },
    ],
  },

  proxy_get_configuration: {
    good: call("proxy_get_configuration"),
    in: "proxy_on_configure",
    host: { config: "plugin", vmConfig: "vm" },
    scenes: [
      {
        what: "the plugin's in on_configure",
        in: "proxy_on_configure",
        host: { config: "plugin", vmConfig: "vm" },
        calls: [[call("proxy_get_configuration"), "Ok [plugin]"]],
      },
      {
        what: "the VM's elsewhere",
        host: { config: "plugin", vmConfig: "vm" },
        calls: [
          [call("proxy_get_configuration"), "Ok [vm]"],
          [raw("proxy_get_configuration", 0, 4), "Ok"],
        ],
      },
      { what: "none", calls: [[call("proxy_get_configuration"), "Ok []"]] },
    ],
  },
};
