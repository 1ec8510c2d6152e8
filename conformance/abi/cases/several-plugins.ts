// Several plugins in one chain: their order, what one sees of what another did, what they share.
import { type Case, EVERYTHING, type Scene } from "../case.ts";
import { same } from "../expect.ts";
import { call, told } from "../guest.ts";
import { makeCases, type Row } from "../make-case.ts";

const row: Row = {
  name: "several-plugins",
  chapter: "context-lifecycle",
  doc: "Several plugins stand in the chain of one stream.",
  since: "0.1.0",
  until: null,
};

const readsHeader = call("proxy_get_header_map_value", 0, "x-first");
const readsResponse = call("proxy_get_header_map_value", 2, "x-second");
const readsData = call("proxy_get_shared_data", "key");
const readsProperty = call("proxy_get_property", "mine");
const readsBody = call("proxy_get_buffer_bytes", 0, 0, 100);
const readsTrailer = call("proxy_get_header_map_value", 1, "u");
const readsStatus = call("proxy_get_header_map_value", 2, ":status");
const queue = call("proxy_register_shared_queue", "queue");
const found = call("proxy_resolve_shared_queue", "", "queue");
const dequeued = call("proxy_dequeue_shared_queue", told(queue));

const all = {
  proxy_on_request_headers: {},
  proxy_on_request_body: {},
  proxy_on_request_trailers: {},
  proxy_on_response_headers: {},
  proxy_on_response_body: {},
  proxy_on_response_trailers: {},
};

const parts = ["headers", "body", "trailers"];
const requests = parts.map((part) => `proxy_on_request_${part}`);
const responses = parts.map((part) => `proxy_on_response_${part}`);

const scenes: readonly Scene[] = [
  {
    what: "requests go through them in their order, responses backwards",
    callbacks: all,
    behind: [{ callbacks: all }],
    request: EVERYTHING,
    chain: [
      ...requests.flatMap((name) => [`a ${name}`, `b ${name}`]),
      ...responses.flatMap((name) => [`b ${name}`, `a ${name}`]),
    ],
  },
  {
    what: "three of them",
    callbacks: { proxy_on_request_headers: {}, proxy_on_response_headers: {} },
    behind: [1, 2].map(() => ({
      callbacks: { proxy_on_request_headers: {}, proxy_on_response_headers: {} },
    })),
    chain: [
      ...["a", "b", "c"].map((letter) => `${letter} proxy_on_request_headers`),
      ...["c", "b", "a"].map((letter) => `${letter} proxy_on_response_headers`),
    ],
  },
  {
    what: "a header of the first is there for the second",
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_add_header_map_value", 0, "x-first", "1")] },
    },
    behind: [{ callbacks: { proxy_on_request_headers: { calls: [readsHeader] } } }],
    exchange: { status: 200, upstream: { headers: { "x-first": "1" } } },
    holds: (seen) => same("the second reads", seen.answerOf(readsHeader), "Ok [1]"),
  },
  {
    what: "a response's header of the second is there for the first",
    callbacks: { proxy_on_response_headers: { calls: [readsResponse] } },
    behind: [
      {
        callbacks: {
          proxy_on_response_headers: {
            calls: [call("proxy_add_header_map_value", 2, "x-second", "2")],
          },
        },
      },
    ],
    exchange: { headers: { "x-second": "2" } },
    holds: (seen) => same("the first reads", seen.answerOf(readsResponse), "Ok [2]"),
  },
  {
    what: "a body that the first changed is what the second gets",
    callbacks: {
      proxy_on_request_body: { calls: [call("proxy_set_buffer_bytes", 0, 0, 100, "other")] },
    },
    behind: [{ callbacks: { proxy_on_request_body: { calls: [readsBody] } } }],
    request: EVERYTHING,
    exchange: { upstream: { body: "other" } },
    holds: (seen) => same("the second reads", seen.answerOf(readsBody), "Ok [other]"),
  },
  {
    what: "the second waits for the first",
    callbacks: {
      proxy_on_request_headers: {
        answer: 1,
        calls: [call("proxy_set_tick_period_milliseconds", 10)],
      },
      proxy_on_tick: {
        calls: [
          call("proxy_set_effective_context", 2),
          call("proxy_continue_stream", 0),
          call("proxy_set_tick_period_milliseconds", 0),
        ],
      },
    },
    behind: [{ callbacks: { proxy_on_request_headers: {} } }],
    chain: ["a proxy_on_request_headers", "a proxy_on_tick", "b proxy_on_request_headers"],
    exchange: { status: 200 },
  },
  {
    what: "an answer of the first keeps the request from the second",
    verdict: "envoy",
    spec: "Nothing of other plugins.",
    callbacks: {
      proxy_on_request_headers: {
        answer: 1,
        calls: [call("proxy_send_local_response", 403, "", "no", "", -1)],
      },
      proxy_on_response_headers: { calls: [readsStatus] },
    },
    behind: [{ callbacks: { proxy_on_request_headers: {}, proxy_on_response_headers: {} } }],
    chain: ["a proxy_on_request_headers", "a proxy_on_response_headers"],
    exchange: { status: 403, body: "no", upstream: null },
    holds: (seen) => same("the first reads", seen.answerOf(readsStatus), "Ok [403]"),
  },
  {
    what: "an answer of the second goes through both",
    callbacks: { proxy_on_response_headers: {} },
    behind: [
      {
        callbacks: {
          proxy_on_request_headers: {
            answer: 1,
            calls: [call("proxy_send_local_response", 403, "", "no", "", -1)],
          },
          proxy_on_response_headers: {},
        },
      },
    ],
    chain: [
      "b proxy_on_request_headers",
      "b proxy_on_response_headers",
      "a proxy_on_response_headers",
    ],
    exchange: { status: 403, upstream: null },
  },
  {
    what: "a property that the first set is there for the second",
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_set_property", "mine", "value")] },
    },
    behind: [{ callbacks: { proxy_on_request_headers: { calls: [readsProperty] } } }],
    holds: (seen) => same("the second reads", seen.answerOf(readsProperty), "Ok [value]"),
  },
  {
    what: "shared data of one vm_id is one for both VMs",
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_set_shared_data", "key", "value", 0)] },
    },
    behind: [{ callbacks: { proxy_on_request_headers: { calls: [readsData] } } }],
    holds: (seen) => same("the second reads", seen.answerOf(readsData)?.slice(0, 10), "Ok [value]"),
  },
  {
    what: "shared data of another vm_id is another's",
    callbacks: {
      proxy_on_request_headers: { calls: [call("proxy_set_shared_data", "key", "value", 0)] },
    },
    behind: [
      {
        callbacks: { proxy_on_request_headers: { calls: [readsData] } },
        plugin: { vmId: "other-$CASE" },
      },
    ],
    holds: (seen) => same("the second reads", seen.answerOf(readsData), "NotFound"),
  },
  {
    what: "what one puts into a queue the other takes out",
    callbacks: {
      proxy_on_request_headers: { calls: [queue] },
      proxy_on_queue_ready: { calls: [dequeued] },
    },
    behind: [
      {
        callbacks: {
          proxy_on_request_headers: {
            calls: [found, call("proxy_enqueue_shared_queue", told(found), "item")],
          },
        },
      },
    ],
    play: [{ request: {} }, { until: "proxy_on_queue_ready" }],
    chain: ["a proxy_on_request_headers", "b proxy_on_request_headers", "a proxy_on_queue_ready"],
    holds: (seen) => same("item", seen.answerOf(dequeued), "Ok [item]"),
  },
  {
    what: "contexts are created as streams reach the plugins",
    callbacks: { proxy_on_context_create: {}, proxy_on_request_headers: {} },
    behind: [{ callbacks: { proxy_on_context_create: {}, proxy_on_request_headers: {} } }],
    holds: ({ chain }) => {
      const names = chain.slice(chain.indexOf("a proxy_on_request_headers"));
      same("behind the first's headers", names.slice(0, 3), [
        "a proxy_on_request_headers",
        "b proxy_on_context_create",
        "b proxy_on_request_headers",
      ]);
    },
  },
  {
    what: "what the first holds back the second gets as one",
    callbacks: { proxy_on_request_body: { answer: 1 } },
    behind: [{ callbacks: { proxy_on_request_body: { calls: [readsBody] } } }],
    request: { method: "POST", body: ["one ", "two"], trailers: { t: "1" } },
    holds: (seen) => same("the second reads", seen.answerOf(readsBody), "Ok [one two]"),
    exchange: { status: 200, upstream: { body: "one two" } },
  },
  {
    what: "trailers that the first changes are what the second gets",
    callbacks: {
      proxy_on_request_trailers: { calls: [call("proxy_add_header_map_value", 1, "u", "2")] },
    },
    behind: [{ callbacks: { proxy_on_request_trailers: { calls: [readsTrailer] } } }],
    request: EVERYTHING,
    holds: (seen) => same("the second reads", seen.answerOf(readsTrailer), "Ok [2]"),
    exchange: { upstream: { trailers: { t: "1", u: "2" } } },
  },
  {
    what: "each has a log",
    callbacks: { proxy_on_log: {}, proxy_on_delete: {} },
    behind: [{ callbacks: { proxy_on_log: {}, proxy_on_delete: {} } }],
    holds: ({ chain }) => {
      const names = ["a proxy_on_delete", "a proxy_on_log", "b proxy_on_delete", "b proxy_on_log"];
      same("callbacks", chain.toSorted(), names);
    },
  },
  {
    what: "a trap of the first is not the second's",
    verdict: "envoy",
    spec: "Nothing: it is the host's configuration.",
    plugin: { failurePolicy: "open" },
    callbacks: { proxy_on_request_trailers: { traps: true } },
    behind: [{ callbacks: { proxy_on_request_headers: {} } }],
    play: [{ request: EVERYTHING }, { request: { method: "GET" } }],
    exchange: { status: 200 },
    holds: ({ chain }) => same("the second", chain.at(-1), "b proxy_on_request_headers"),
  },
];

export function severalPluginsCases(): Case[] {
  return makeCases(row, scenes);
}
