// What guests of several workers share, in a real process: shared data, queues, gauges.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { get } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 2 });
const upstream = useUpstream("hello");
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

async function start(script: readonly string[]): Promise<HeadgateProcess> {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const filters = [wasmFilter(module, "guest", script.join("\n"))];
  return await processes.start(bootstrap({ upstreamPort: upstream.port, filters }));
}

/** Requests on connections of their own, until each worker has had some; how many. */
async function askBothWorkers(headgate: HeadgateProcess): Promise<number> {
  const target = await headgate.listener();
  for (let count = 1; ; count += 1) {
    await get(target);
    const served = [0, 1].map((worker) =>
      headgate.stat(`listener.127.0.0.1_0.worker_${worker}.downstream_cx_total`),
    );
    if ((await Promise.all(served)).every((connections) => connections > 0)) return count;
  }
}

test("gauges are one value for all workers, counters and histograms are summed", async () => {
  const headgate = await start([
    "configure define_metric 0 requests",
    "configure define_metric 1 seen",
    "configure define_metric 2 sizes",
    "configure define_metric 1 level",
    "configure record_metric 9 7",
    "request_headers increment_metric 4 1",
    "request_headers increment_metric 5 1",
    "request_headers record_metric 6 3",
  ]);
  const requests = await askBothWorkers(headgate);
  expect(await headgate.stat("wasmcustom.requests")).toBe(requests);
  expect(await headgate.stat("wasmcustom.seen")).toBe(requests);
  expect(await headgate.stat("wasmcustom.level")).toBe(7);
  const text = await headgate.admin("/stats/prometheus");
  expect(text).toContain("# TYPE requests counter\nrequests{} " + requests);
  expect(text).toContain("# TYPE level gauge\nlevel{} 7");
  expect(text).toContain("# TYPE sizes histogram");
});

test("an item that any worker puts into a queue comes to the one that registered last", async () => {
  const headgate = await start([
    "configure register_shared_queue q",
    "configure define_metric 0 items",
    "request_headers enqueue_shared_queue 1 item",
    "queue_ready dequeue_shared_queue 1",
    "queue_ready increment_metric 4 1",
  ]);
  const requests = await askBothWorkers(headgate);
  await expect.poll(() => headgate.stat("wasmcustom.items")).toBe(requests);
  expect(headgate.output.match(/dequeue_shared_queue 1 -> 0 \[item\]/g)?.length).toBe(requests);
  expect(await headgate.stat("wasm.shared_store.refused")).toBe(0);
  expect(await headgate.stat("wasm.shared_store.used_bytes")).toBeGreaterThan(0);
});

test("what one worker's guest has set, the others' get", async () => {
  const headgate = await start([
    "configure get_shared_data k",
    "configure set_shared_data k v 0",
    "request_headers get_shared_data k",
  ]);
  // The first of the two finds nothing, the second one what the first has set.
  await headgate.says("get_shared_data k -> 1");
  await headgate.says("get_shared_data k -> 0 [v]");
  await askBothWorkers(headgate);
  expect(headgate.output.match(/get_shared_data k -> 1/g)?.length).toBe(1);
});
