// Properties, shared data and queues, metrics, foreign functions.
import type { HostcallCases } from "../case.ts";
import { same } from "../expect.ts";
import { call, replacing, told } from "../guest.ts";

const key = call("proxy_get_shared_data", "key");
const firstValue = call("proxy_get_shared_data", "key");

const queueA = call("proxy_register_shared_queue", "a");
const queueB = call("proxy_register_shared_queue", "b");
const queueAgain = call("proxy_register_shared_queue", "a");
const registered = call("proxy_register_shared_queue", "queue");
const filled = call("proxy_register_shared_queue", "queue");
const emptied = call("proxy_register_shared_queue", "queue");
const ordered = call("proxy_register_shared_queue", "queue");
const known = call("proxy_register_shared_queue", "queue");

const counter = call("proxy_define_metric", 0, "$CASE.counter");
const c1 = call("proxy_define_metric", 0, "$CASE.c");
const c2 = call("proxy_define_metric", 0, "$CASE.c");
const c = call("proxy_define_metric", 0, "$CASE.c");
const g = call("proxy_define_metric", 1, "$CASE.g");
const h = call("proxy_define_metric", 2, "$CASE.h");

/** Numbers that no metric has: a histogram's, a counter's, a gauge's, nobody's. */
const NO_HISTOGRAM = 40_002;
const NO_COUNTER = 40_000;
const NO_GAUGE = 40_001;
const NO_METRIC = 40_003;

export const valueCases: HostcallCases = {
  proxy_get_property: {
    good: call("proxy_get_property", "request\0path"),
    scenes: [
      {
        what: "by segments, with or without a NUL at the end",
        plugin: { name: "it", rootId: "root", vmId: "$CASE" },
        verdict: "envoy",
        spec: "A path of segments with NULs between them; which ones there are it does not say.",
        calls: [
          [call("proxy_get_property", "request\0path"), "Ok [/a?b=c]"],
          [call("proxy_get_property", "request\0path\0"), "Ok [/a?b=c]"],
          [call("proxy_get_property", "request\0headers\0x-a"), "Ok [1]"],
          [call("proxy_get_property", "plugin_name"), "Ok [it]"],
          [call("proxy_get_property", "plugin_root_id"), "Ok [root]"],
          [call("proxy_get_property", "plugin_vm_id"), "Ok [$CASE]"],
          [call("proxy_get_property", "request.path"), "NotFound"],
          [call("proxy_get_property", "none"), "NotFound"],
        ],
      },
      {
        what: "of the request",
        verdict: "envoy",
        calls: [
          [call("proxy_get_property", "request\0method"), "Ok [GET]"],
          [call("proxy_get_property", "request\0host"), "Ok [example.com]"],
          [call("proxy_get_property", "request\0url_path"), "Ok [/a]"],
          [call("proxy_get_property", "request\0query"), "Ok [b=c]"],
          [call("proxy_get_property", "request\0scheme"), "Ok [http]"],
          [call("proxy_get_property", "request\0protocol"), "Ok [HTTP/1.1]"],
        ],
      },
      {
        what: "of the response",
        verdict: "envoy",
        in: "proxy_on_response_headers",
        request: { upstream: { status: 207, headers: { "x-b": "1" } } },
        calls: [
          [call("proxy_get_property", "response\0code"), "Ok [%cf%00%00%00%00%00%00%00]"],
          [call("proxy_get_property", "response\0headers\0x-b"), "Ok [1]"],
          [call("proxy_get_property", "response\0headers\0none"), "NotFound"],
        ],
      },
      {
        what: "an empty path, and a path to a value that has no bytes",
        verdict: "envoy",
        spec: "NOT_FOUND.",
        calls: [
          [call("proxy_get_property", ""), "SerializationFailure"],
          [call("proxy_get_property", "request"), "SerializationFailure"],
        ],
      },
      {
        what: "a plugin's own are there when its root context is created",
        verdict: "envoy",
        in: "proxy_on_context_create",
        plugin: { rootId: "root" },
        calls: [[call("proxy_get_property", "plugin_root_id"), "Ok [root]"]],
        play: [],
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
        ],
      },
      {
        what: "under a path of two segments",
        envoy: "Sets it, and does not find it.",
        calls: [
          [call("proxy_set_property", "a\0b", "2"), "Ok"],
          [call("proxy_get_property", "a\0b"), "Ok [2]"],
        ],
      },
      {
        what: "until its log",
        in: "proxy_on_log",
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_set_property", "mine", "value")] },
        },
        calls: [[call("proxy_get_property", "mine"), "Ok [value]"]],
      },
      {
        what: "without a stream there is no place for it",
        verdict: "envoy",
        in: "proxy_on_configure",
        calls: [[call("proxy_set_property", "mine", "value"), "NotFound"]],
        play: [],
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
          [call("proxy_get_shared_data", "key"), "Ok [value] #"],
          [call("proxy_set_shared_data", "key", "", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [] #"],
        ],
      },
      {
        what: "the CAS number is another one after each change",
        calls: [
          [call("proxy_set_shared_data", "key", "1", 0), "Ok"],
          [firstValue, "Ok [1] #"],
          [call("proxy_get_shared_data", "key"), "Ok [1] #"],
          [call("proxy_set_shared_data", "key", "1", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [1] #"],
        ],
        holds: ({ answers }) => {
          same("number of an unchanged value", answers[2], answers[1]);
          same("number of a changed one", answers[4] === answers[1], false);
        },
      },
    ],
  },

  proxy_set_shared_data: {
    good: call("proxy_set_shared_data", "key", "value", 0),
    scenes: [
      {
        what: "with the stored number or none",
        calls: [
          [call("proxy_set_shared_data", "key", "1", 0), "Ok"],
          [key, "Ok [1] #"],
          [call("proxy_set_shared_data", "key", "3", told(key, 2)), "Ok"],
          [call("proxy_set_shared_data", "key", "4", told(key, 2)), "CasMismatch"],
          [call("proxy_get_shared_data", "key"), "Ok [3] #"],
          [call("proxy_set_shared_data", "key", "5", 0), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [5] #"],
        ],
      },
      {
        what: "an absent key takes any number",
        verdict: "envoy",
        spec: "CAS_MISMATCH when the number is not that of the stored value.",
        calls: [
          [call("proxy_set_shared_data", "key", "1", 99_999), "Ok"],
          [call("proxy_get_shared_data", "key"), "Ok [1] #"],
        ],
      },
      {
        what: "any bytes as key and value",
        calls: [
          [call("proxy_set_shared_data", "\0\u0001", "a\0b", 0), "Ok"],
          [call("proxy_get_shared_data", "\0\u0001"), "Ok [a%00b] #"],
          [call("proxy_get_shared_data", "\0"), "NotFound"],
        ],
      },
      {
        what: "a later stream reads it",
        in: "proxy_on_response_headers",
        calls: [[call("proxy_set_shared_data", "key", "kept", 0), "Ok"]],
        callbacks: {
          proxy_on_request_headers: { calls: [call("proxy_get_shared_data", "key")] },
        },
        play: [{ request: {} }, { request: {} }],
        holds: ({ answers }) =>
          same(
            "value",
            answers.some((one) => one.startsWith("Ok [kept]")),
            true,
          ),
      },
    ],
  },

  proxy_register_shared_queue: {
    good: call("proxy_register_shared_queue", "queue"),
    scenes: [
      {
        what: "the same name is the same queue, which keeps its items",
        calls: [
          [queueA, "Ok #"],
          [queueB, "Ok #"],
          [call("proxy_enqueue_shared_queue", told(queueA), "item"), "Ok"],
          [queueAgain, "Ok #"],
          [call("proxy_dequeue_shared_queue", told(queueB)), "Empty"],
          [call("proxy_dequeue_shared_queue", told(queueAgain)), "Ok [item]"],
        ],
        holds: ({ answers }) => {
          same("token of the same name", answers[3], answers[0]);
          same("one token for two names", answers[0] === answers[1], false);
        },
      },
    ],
  },

  proxy_resolve_shared_queue: {
    good: call("proxy_resolve_shared_queue", "", "queue"),
    before: [call("proxy_register_shared_queue", "queue")],
    scenes: [
      {
        what: "by vm_id and name",
        calls: [
          [call("proxy_resolve_shared_queue", "$CASE", "queue"), "NotFound"],
          [registered, "Ok #"],
          [call("proxy_resolve_shared_queue", "$CASE", "queue"), "Ok #"],
          [call("proxy_resolve_shared_queue", "other", "queue"), "NotFound"],
          [call("proxy_resolve_shared_queue", "$CASE", "none"), "NotFound"],
        ],
        holds: ({ answers }) => same("token", answers[2], answers[1]),
      },
      {
        what: "no vm_id is the guest's own",
        verdict: "envoy",
        calls: [
          [known, "Ok #"],
          [call("proxy_resolve_shared_queue", "", "queue"), "Ok #"],
        ],
        holds: ({ answers }) => same("token", answers[1], answers[0]),
      },
    ],
  },

  proxy_enqueue_shared_queue: {
    good: call("proxy_enqueue_shared_queue", told(filled), "item"),
    before: [filled],
    scenes: [
      {
        what: "items come out in their order",
        calls: [
          [ordered, "Ok #"],
          [call("proxy_enqueue_shared_queue", told(ordered), "x"), "Ok"],
          [call("proxy_enqueue_shared_queue", told(ordered), ""), "Ok"],
          [call("proxy_enqueue_shared_queue", told(ordered), "y"), "Ok"],
          [call("proxy_dequeue_shared_queue", told(ordered)), "Ok [x]"],
          [call("proxy_dequeue_shared_queue", told(ordered)), "Ok []"],
          [call("proxy_dequeue_shared_queue", told(ordered)), "Ok [y]"],
          [call("proxy_dequeue_shared_queue", told(ordered)), "Empty"],
        ],
      },
      {
        what: "queues that are not there",
        calls: [
          [call("proxy_enqueue_shared_queue", 0, "x"), "NotFound"],
          [call("proxy_enqueue_shared_queue", 99_999, "x"), "NotFound"],
          [call("proxy_enqueue_shared_queue", -1, "x"), "NotFound"],
        ],
      },
    ],
  },

  proxy_dequeue_shared_queue: {
    good: call("proxy_dequeue_shared_queue", told(emptied)),
    before: [
      emptied,
      call("proxy_enqueue_shared_queue", told(emptied), "item"),
      call("proxy_enqueue_shared_queue", told(emptied), "item"),
    ],
    scenes: [
      {
        what: "an empty queue, and one that is not there",
        calls: [
          [call("proxy_dequeue_shared_queue", 99_999), "NotFound"],
          [emptied, "Ok #"],
          [call("proxy_dequeue_shared_queue", told(emptied)), "Empty"],
          [call("proxy_dequeue_shared_queue", -1), "NotFound"],
        ],
      },
    ],
  },

  proxy_define_metric: {
    good: call("proxy_define_metric", 0, "$CASE.counter"),
    scenes: [
      {
        what: "of each type; of no type",
        calls: [
          [call("proxy_define_metric", 0, "$CASE.c"), "Ok #"],
          [call("proxy_define_metric", 1, "$CASE.g"), "Ok #"],
          [call("proxy_define_metric", 2, "$CASE.h"), "Ok #"],
          [call("proxy_define_metric", 3, "$CASE.x"), "BadArgument"],
          [call("proxy_define_metric", -1, "$CASE.x"), "BadArgument"],
        ],
      },
      {
        what: "a name twice is one metric, which the host's own stats tell",
        needs: ["metrics"],
        calls: [
          [c1, "Ok #"],
          [c2, "Ok #"],
          [call("proxy_increment_metric", told(c1), 2n), "Ok"],
          [call("proxy_get_metric", told(c2)), "Ok 2"],
        ],
        holds: ({ told: { metrics, guest } }) => same("stat", metrics.get(`${guest.tag}.c`), 2),
      },
      {
        what: "ids carry the type",
        verdict: "envoy",
        spec: "Any number.",
        calls: [
          [call("proxy_define_metric", 0, "$CASE.c"), "Ok 4"],
          [call("proxy_define_metric", 0, "$CASE.c"), "Ok 8"],
          [call("proxy_define_metric", 1, "$CASE.g"), "Ok 5"],
          [call("proxy_define_metric", 2, "$CASE.h"), "Ok 6"],
        ],
      },
    ],
  },

  proxy_record_metric: {
    good: call("proxy_record_metric", told(counter), 1n),
    before: [counter],
    scenes: [
      {
        what: "adds to a counter, sets a gauge, records into a histogram",
        needs: ["metrics"],
        calls: [
          [c, "Ok #"],
          [g, "Ok #"],
          [h, "Ok #"],
          [call("proxy_record_metric", told(c), 5n), "Ok"],
          [call("proxy_record_metric", told(c), 2n), "Ok"],
          [call("proxy_record_metric", told(g), 9n), "Ok"],
          [call("proxy_record_metric", told(g), 7n), "Ok"],
          [call("proxy_record_metric", told(h), 3n), "Ok"],
          [call("proxy_get_metric", told(c)), "Ok 7"],
          [call("proxy_get_metric", told(g)), "Ok 7"],
        ],
        holds: ({ told: { metrics, guest } }) => {
          const values = ["c", "g"].map((name) => metrics.get(`${guest.tag}.${name}`));
          same("stats", values, [7, 7]);
        },
      },
      {
        what: "metrics that are not there",
        calls: [NO_COUNTER, NO_GAUGE, NO_HISTOGRAM, NO_METRIC, 0].map(
          (metric) => [call("proxy_record_metric", metric, 1n), "NotFound"] as const,
        ),
      },
    ],
  },

  proxy_increment_metric: {
    good: call("proxy_increment_metric", told(counter), 1n),
    before: [counter],
    scenes: [
      {
        what: "counters go up only, gauges both ways, histograms not at all",
        calls: [
          [c, "Ok #"],
          [g, "Ok #"],
          [h, "Ok #"],
          [call("proxy_increment_metric", told(c), 2n), "Ok"],
          [call("proxy_increment_metric", told(c), -1n), "BadArgument"],
          [call("proxy_get_metric", told(c)), "Ok 2"],
          [call("proxy_increment_metric", told(g), 5n), "Ok"],
          [call("proxy_increment_metric", told(g), -2n), "Ok"],
          [call("proxy_get_metric", told(g)), "Ok 3"],
          [call("proxy_increment_metric", told(h), 1n), "BadArgument"],
        ],
      },
      {
        what: "a counter by nothing",
        verdict: "envoy",
        spec: "Nothing of 0.",
        calls: [
          [c, "Ok #"],
          [call("proxy_increment_metric", told(c), 0n), "BadArgument"],
        ],
      },
      {
        what: "metrics that are not there",
        verdict: "envoy",
        spec: "NOT_FOUND.",
        calls: [
          [call("proxy_increment_metric", NO_COUNTER, 1n), "NotFound"],
          [call("proxy_increment_metric", NO_GAUGE, 1n), "NotFound"],
          [call("proxy_increment_metric", NO_HISTOGRAM, 1n), "BadArgument"],
          [call("proxy_increment_metric", NO_METRIC, 1n), "BadArgument"],
        ],
      },
    ],
  },

  proxy_get_metric: {
    good: call("proxy_get_metric", told(counter)),
    before: [counter],
    scenes: [
      {
        what: "of counters and gauges",
        calls: [
          [c, "Ok #"],
          [call("proxy_get_metric", told(c)), "Ok 0"],
          [call("proxy_increment_metric", told(c), 0x1_0000_0001n), "Ok"],
          [call("proxy_get_metric", told(c)), "Ok 4294967297"],
          [h, "Ok #"],
          [call("proxy_get_metric", told(h)), "BadArgument"],
        ],
      },
      {
        what: "metrics that are not there",
        verdict: "envoy",
        spec: "NOT_FOUND.",
        calls: [
          [call("proxy_get_metric", NO_COUNTER), "NotFound"],
          [call("proxy_get_metric", NO_GAUGE), "NotFound"],
          [call("proxy_get_metric", NO_HISTOGRAM), "BadArgument"],
          [call("proxy_get_metric", NO_METRIC), "BadArgument"],
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
        ],
      },
      {
        what: "Envoy's expressions, which a host need not have",
        verdict: "extension",
        spec: "Nothing: which functions there are is the host's business.",
        envoy: "Has expr_create.",
        calls: [[call("proxy_call_foreign_function", "expr_create", "1 + 1"), "NotFound"]],
      },
      {
        what: "results may be left out",
        verdict: "envoy",
        calls: [
          [
            replacing(call("proxy_call_foreign_function", "compress", "x"), [4, 0], [5, 0]),
            "Ok (untouched)",
          ],
          [call("proxy_call_foreign_function", "clear_route_cache", ""), "Ok []"],
        ],
        exchange: { status: 200 },
      },
      {
        what: "a failed call tells no result",
        verdict: "envoy",
        calls: [
          [
            call("proxy_call_foreign_function", "uncompress", "x"),
            "SerializationFailure, wrote []",
          ],
        ],
      },
    ],
  },
};
