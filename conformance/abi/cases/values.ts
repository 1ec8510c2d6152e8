// Properties, shared data and queues, metrics, foreign functions.
import { expect } from "vitest";
import { call, replacing } from "../guest.ts";
import type { HostcallCases } from "../case.ts";

export const valueCases: HostcallCases = {
  proxy_get_property: {
    good: call("proxy_get_property", "request\0path"),
    scenes: [
      {
        what: "by segments, with or without a NUL at the end",
        host: { name: "it", rootId: "root", vmId: "vm" },
        calls: [
          [call("proxy_get_property", "request\0path"), "Ok [/a?b=c]"],
          [call("proxy_get_property", "request\0path\0"), "Ok [/a?b=c]"],
          [call("proxy_get_property", "request\0headers\0x-a"), "Ok [1]"],
          [call("proxy_get_property", "plugin_name"), "Ok [it]"],
          [call("proxy_get_property", "plugin_root_id"), "Ok [root]"],
          [call("proxy_get_property", "plugin_vm_id"), "Ok [vm]"],
          [call("proxy_get_property", "request.path"), "NotFound"],
          [call("proxy_get_property", "none"), "NotFound"],
          [call("proxy_get_property", ""), "SerializationFailure"],
          [call("proxy_get_property", "request"), "SerializationFailure"],
        ],
      },
      {
        what: "a plugin's own are there when its root context is created",
        in: "proxy_on_context_create",
        host: { rootId: "root" },
        calls: [[call("proxy_get_property", "plugin_root_id"), "Ok [root]"]],
        play: () => {},
      },
    ],
  },

  proxy_set_property: {
    good: call("proxy_set_property", "mine", "value"),
    scenes: [
      {
        what: "is kept with the stream",
        calls: [
          [call("proxy_set_property", "mine", "value"), "Ok"],
          [call("proxy_get_property", "mine"), "Ok [value]"],
          [call("proxy_set_property", "mine", ""), "Ok"],
          [call("proxy_get_property", "mine"), "Ok []"],
          [call("proxy_set_property", "a\0b", "2"), "Ok"],
          [call("proxy_get_property", "a\0b"), "Ok [2]"],
        ],
        holds: ({ exchange }) =>
          expect(exchange?.info.filterState?.get("wasm.mine")).toEqual(Buffer.alloc(0)),
      },
      {
        what: "without a stream there is no place for it",
        in: "proxy_on_configure",
        calls: [[call("proxy_set_property", "mine", "value"), "NotFound"]],
      },
    ],
  },

  proxy_get_shared_data: {
    good: call("proxy_get_shared_data", "key"),
    before: [call("proxy_set_shared_data", "key", "value", 0)],
    scenes: [
      {
        what: "the value and its CAS number, once it is there",
        calls: [
          [call("proxy_get_shared_data", "key"), "NotFound"],
          [call("proxy_set_shared_data", "key", "value", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [value] 1"],
          [call("proxy_set_shared_data", "key", "", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [] 2"],
        ],
      },
    ],
  },

  proxy_set_shared_data: {
    good: call("proxy_set_shared_data", "key", "value", 0),
    scenes: [
      {
        what: "with the stored number or none; an absent key takes any",
        calls: [
          [call("proxy_set_shared_data", "key", "1", 99), "Ok"],
          [call("proxy_set_shared_data", "key", "2", 99), "CasMismatch"],
          [call("proxy_get_shared_data", "key"), "Ok [1] 1"],
          [call("proxy_set_shared_data", "key", "3", 1), "Ok"],
          [call("proxy_set_shared_data", "other", "", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [3] 2"],
          [call("proxy_set_shared_data", "key", "4", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [4] 4"],
        ],
      },
    ],
  },

  proxy_register_shared_queue: {
    good: call("proxy_register_shared_queue", "queue"),
    scenes: [
      {
        what: "the same name is the same queue, which keeps its items",
        calls: [
          [call("proxy_register_shared_queue", "a"), "Ok 1"],
          [call("proxy_register_shared_queue", "b"), "Ok 2"],
          [call("proxy_enqueue_shared_queue", 1, "item"), "Ok"],
          [call("proxy_register_shared_queue", "a"), "Ok 1"],
          [call("proxy_dequeue_shared_queue", 1), "Ok [item]"],
        ],
      },
    ],
  },

  proxy_resolve_shared_queue: {
    good: call("proxy_resolve_shared_queue", "", "queue"),
    before: [call("proxy_register_shared_queue", "queue")],
    scenes: [
      {
        what: "by vm_id and name; no vm_id is the guest's own",
        host: { vmId: "vm" },
        calls: [
          [call("proxy_resolve_shared_queue", "vm", "queue"), "NotFound"],
          [call("proxy_register_shared_queue", "queue"), "Ok 1"],
          [call("proxy_resolve_shared_queue", "vm", "queue"), "Ok 1"],
          [call("proxy_resolve_shared_queue", "", "queue"), "Ok 1"],
          [call("proxy_resolve_shared_queue", "other", "queue"), "NotFound"],
          [call("proxy_resolve_shared_queue", "vm", "none"), "NotFound"],
        ],
      },
    ],
  },

  proxy_enqueue_shared_queue: {
    good: call("proxy_enqueue_shared_queue", 1, "item"),
    before: [call("proxy_register_shared_queue", "queue")],
    scenes: [
      {
        what: "items come out in their order; queues that are not there",
        calls: [
          [call("proxy_enqueue_shared_queue", 1, "x"), "NotFound"],
          [call("proxy_register_shared_queue", "queue"), "Ok 1"],
          [call("proxy_enqueue_shared_queue", 1, "x"), "Ok"],
          [call("proxy_enqueue_shared_queue", 1, ""), "Ok"],
          [call("proxy_enqueue_shared_queue", 0, "x"), "NotFound"],
          [call("proxy_enqueue_shared_queue", -1, "x"), "NotFound"],
          [call("proxy_dequeue_shared_queue", 1), "Ok [x]"],
          [call("proxy_dequeue_shared_queue", 1), "Ok []"],
          [call("proxy_dequeue_shared_queue", 1), "Empty"],
        ],
      },
    ],
  },

  proxy_dequeue_shared_queue: {
    good: call("proxy_dequeue_shared_queue", 1),
    before: [
      call("proxy_register_shared_queue", "queue"),
      call("proxy_enqueue_shared_queue", 1, "item"),
      call("proxy_enqueue_shared_queue", 1, "item"),
    ],
    scenes: [
      {
        what: "an empty queue, and one that is not there",
        calls: [
          [call("proxy_dequeue_shared_queue", 1), "NotFound"],
          [call("proxy_register_shared_queue", "queue"), "Ok 1"],
          [call("proxy_dequeue_shared_queue", 1), "Empty"],
          [call("proxy_dequeue_shared_queue", -1), "NotFound"],
        ],
      },
    ],
  },

  proxy_define_metric: {
    good: call("proxy_define_metric", 0, "counter"),
    scenes: [
      {
        what: "ids carry the type; a name twice is one metric with two ids",
        calls: [
          [call("proxy_define_metric", 0, "c"), "Ok 4"],
          [call("proxy_define_metric", 0, "c"), "Ok 8"],
          [call("proxy_define_metric", 1, "g"), "Ok 5"],
          [call("proxy_define_metric", 2, "h"), "Ok 6"],
          [call("proxy_define_metric", 3, "x"), "BadArgument"],
          [call("proxy_define_metric", -1, "x"), "BadArgument"],
          [call("proxy_increment_metric", 4, 2n), "Ok"],
          [call("proxy_get_metric", 8), "Ok 2"],
        ],
        holds: ({ host }) => {
          expect(host.metrics.names).toEqual(["c", "g", "h"]);
          expect(host.stats.counter("wasmcustom.c").value).toBe(2);
        },
      },
    ],
  },

  proxy_record_metric: {
    good: call("proxy_record_metric", 4, 1n),
    before: [call("proxy_define_metric", 0, "counter")],
    scenes: [
      {
        what: "adds to a counter, sets a gauge, records into a histogram",
        calls: [
          [call("proxy_define_metric", 0, "c"), "Ok 4"],
          [call("proxy_define_metric", 1, "g"), "Ok 5"],
          [call("proxy_define_metric", 2, "h"), "Ok 6"],
          [call("proxy_record_metric", 4, 5n), "Ok"],
          [call("proxy_record_metric", 4, 2n), "Ok"],
          [call("proxy_record_metric", 5, 9n), "Ok"],
          [call("proxy_record_metric", 5, 7n), "Ok"],
          [call("proxy_record_metric", 6, 3n), "Ok"],
          [call("proxy_record_metric", 8, 1n), "NotFound"],
          [call("proxy_record_metric", 9, 1n), "NotFound"],
          [call("proxy_record_metric", 10, 1n), "NotFound"],
          [call("proxy_record_metric", 7, 1n), "NotFound"],
          [call("proxy_record_metric", 0, 1n), "NotFound"],
        ],
        holds: ({ host: { metrics } }) => {
          expect(["c", "g", "h"].map((name) => metrics.get(name))).toEqual([7, 7, 1]);
        },
      },
    ],
  },

  proxy_increment_metric: {
    good: call("proxy_increment_metric", 4, 1n),
    before: [call("proxy_define_metric", 0, "counter")],
    scenes: [
      {
        what: "counters go up only, gauges both ways, histograms not at all",
        calls: [
          [call("proxy_define_metric", 0, "c"), "Ok 4"],
          [call("proxy_define_metric", 1, "g"), "Ok 5"],
          [call("proxy_define_metric", 2, "h"), "Ok 6"],
          [call("proxy_increment_metric", 4, 2n), "Ok"],
          [call("proxy_increment_metric", 4, 0n), "BadArgument"],
          [call("proxy_increment_metric", 4, -1n), "BadArgument"],
          [call("proxy_increment_metric", 5, 5n), "Ok"],
          [call("proxy_increment_metric", 5, -2n), "Ok"],
          [call("proxy_get_metric", 5), "Ok 3"],
          [call("proxy_increment_metric", 6, 1n), "BadArgument"],
          [call("proxy_increment_metric", 8, 1n), "NotFound"],
          [call("proxy_increment_metric", 9, 1n), "NotFound"],
          [call("proxy_increment_metric", 10, 1n), "BadArgument"],
          [call("proxy_increment_metric", 7, 1n), "BadArgument"],
        ],
      },
    ],
  },

  proxy_get_metric: {
    good: call("proxy_get_metric", 4),
    before: [call("proxy_define_metric", 0, "counter")],
    scenes: [
      {
        what: "of counters and gauges",
        calls: [
          [call("proxy_define_metric", 0, "c"), "Ok 4"],
          [call("proxy_get_metric", 4), "Ok 0"],
          [call("proxy_increment_metric", 4, 0x1_0000_0001n), "Ok"],
          [call("proxy_get_metric", 4), "Ok 4294967297"],
          [call("proxy_define_metric", 2, "h"), "Ok 6"],
          [call("proxy_get_metric", 6), "BadArgument"],
          [call("proxy_get_metric", 8), "NotFound"],
          [call("proxy_get_metric", 5), "NotFound"],
          [call("proxy_get_metric", 10), "BadArgument"],
          [call("proxy_get_metric", 7), "BadArgument"],
        ],
      },
    ],
  },

  proxy_call_foreign_function: {
    good: call("proxy_call_foreign_function", "compress", "text"),
    scenes: [
      {
        what: "a name that nobody has",
        calls: [
          [call("proxy_call_foreign_function", "none", ""), "NotFound"],
          [call("proxy_call_foreign_function", "", ""), "NotFound"],
          [call("proxy_call_foreign_function", "expr_create", "1 + 1"), "NotFound"],
        ],
      },
      {
        what: "results may be left out, and a failed call tells none",
        calls: [
          [
            replacing(call("proxy_call_foreign_function", "compress", "x"), [4, 0], [5, 0]),
            "Ok (untouched)",
          ],
          [
            call("proxy_call_foreign_function", "uncompress", "x"),
            "SerializationFailure, wrote []",
          ],
          [call("proxy_call_foreign_function", "clear_route_cache", ""), "Ok []"],
        ],
        holds: ({ exchange }) => expect(exchange?.routeCacheClears).toBe(1),
      },
    ],
  },
};
