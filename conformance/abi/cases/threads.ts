// What plugins share over threads: data, queues and metrics of VMs that run at the same time. A dozen
// streams: that all come to one thread happens once in 2048 times.
import { type Case, type Scene, type Step } from "../case.ts";
import { same, Unmet } from "../expect.ts";
import { type Call, call, told } from "../guest.ts";
import { makeCases, type Row } from "../make-case.ts";
import type { Seen } from "../seen.ts";

const row: Row = {
  name: "threads",
  chapter: "shared-kv-and-queues",
  doc: "What is shared is one for all VMs of a vm_id, on whatever threads they are.",
  since: "0.1.0",
  until: null,
};

const STREAMS = 12;
const requests: readonly Step[] = Array.from({ length: STREAMS }, () => ({ request: {} }));
const shared = { play: requests, needs: ["threads"] } as const;

const read = call("proxy_get_shared_data", "key");
const counter = call("proxy_define_metric", 0, "$CASE.n");
const readCounter = call("proxy_get_metric", told(counter));
const gauge = call("proxy_define_metric", 1, "$CASE.g");
const readGauge = call("proxy_get_metric", told(gauge));
const queue = call("proxy_register_shared_queue", "queue");
const again = call("proxy_register_shared_queue", "queue");
const dequeues = Array.from({ length: STREAMS }, () =>
  call("proxy_dequeue_shared_queue", told(again)),
);

/** What a call answered in all instances, in the order in which they told. */
function answersOf({ told: { reports } }: Seen, one: Call): readonly string[] {
  return reports.flatMap(({ callback, answers }) => {
    const at = callback.calls.indexOf(one);
    return at < 0 ? [] : [answers[at] ?? ""];
  });
}

/** Of streams alone: a host may run VMs that get none. */
function threadsOf({ told: { reports } }: Seen): number {
  const streams = reports.filter(({ callback }) => callback.name === "proxy_on_request_headers");
  same("streams that were told", streams.length, STREAMS);
  return new Set(streams.map(({ instance }) => instance)).size;
}

function onSeveral(seen: Seen): void {
  const count = threadsOf(seen);
  if (count < 2) throw new Unmet("threads that got streams", "2 or more", String(count));
}

const scenes: readonly Scene[] = [
  {
    what: "each has a VM of its own, started and configured",
    ...shared,
    callbacks: {
      proxy_on_vm_start: {},
      proxy_on_configure: {},
      proxy_on_request_headers: {},
    },
    holds: (seen) => {
      onSeveral(seen);
      for (const name of ["proxy_on_vm_start", "proxy_on_configure"]) {
        const started = seen.told.reports.filter(({ callback }) => callback.name === name);
        const instances = new Set(started.map(({ instance }) => instance));
        same(`${name}: once in each`, started.length, instances.size);
      }
    },
  },
  {
    what: "data that one sets is there for all",
    ...shared,
    callbacks: {
      proxy_on_request_headers: { calls: [read, call("proxy_set_shared_data", "key", "v", 0)] },
    },
    holds: (seen) => {
      onSeveral(seen);
      const found = answersOf(seen, read).map((answer) => answer.split(" ", 2).join(" "));
      same("the first finds nothing", found.filter((one) => one === "NotFound").length, 1);
      same("all others find it", found.filter((one) => one === "Ok [v]").length, STREAMS - 1);
    },
  },
  {
    what: "items of a queue come out once, whoever put them in",
    needs: ["threads"],
    play: [...requests, { until: "proxy_on_queue_ready" }],
    callbacks: {
      proxy_on_request_headers: {
        calls: [queue, call("proxy_enqueue_shared_queue", told(queue), "item")],
      },
      proxy_on_queue_ready: { calls: [again, ...dequeues] },
    },
    holds: (seen) => {
      onSeveral(seen);
      const items = dequeues.flatMap((one) => answersOf(seen, one));
      same("items", items.filter((one) => one === "Ok [item]").length, STREAMS);
    },
  },
  {
    what: "a counter is one number",
    needs: ["threads", "metrics"],
    play: requests,
    callbacks: {
      proxy_on_request_headers: {
        calls: [counter, call("proxy_increment_metric", told(counter), 1n)],
      },
    },
    holds: (seen) => {
      onSeveral(seen);
      same("the host's stat", seen.told.metrics.get(`${seen.told.guest.tag}.n`), STREAMS);
    },
  },
  {
    what: "a counter is read as one number",
    ...shared,
    callbacks: {
      proxy_on_request_headers: {
        calls: [counter, readCounter, call("proxy_increment_metric", told(counter), 1n)],
      },
    },
    holds: (seen) => {
      onSeveral(seen);
      const wanted = Array.from({ length: STREAMS }, (_, at) => `Ok ${at}`);
      same("read before each", answersOf(seen, readCounter), wanted);
    },
  },
  {
    what: "a gauge is one number",
    ...shared,
    callbacks: {
      proxy_on_request_headers: {
        calls: [gauge, readGauge, call("proxy_record_metric", told(gauge), 7n)],
      },
    },
    holds: (seen) => {
      onSeveral(seen);
      const wanted = ["Ok 0", ...Array.from({ length: STREAMS - 1 }, () => "Ok 7")];
      same("read before each", answersOf(seen, readGauge), wanted);
    },
  },
];

export function threadCases(): Case[] {
  return makeCases(row, scenes);
}
