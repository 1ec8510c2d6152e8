// What guests of several workers share, in a real process: shared data, queues, gauges.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { get } from "./http-clients.ts";
import { Load } from "./load-client.ts";
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

/** Another version of the guest, with more of a script; how the push ended. */
async function push(headgate: HeadgateProcess, query: string, script: string): Promise<unknown> {
  const url = `http://${headgate.adminAddress}/wasm/plugins/guest/configuration${query}`;
  const answer = (await (await fetch(url, { method: "POST", body: script })).json()) as {
    readonly state?: string;
    readonly problems?: readonly string[];
  };
  return answer.state ?? answer.problems;
}

/** That which serves first. */
async function versions(headgate: HeadgateProcess): Promise<readonly string[]> {
  const page = JSON.parse(await headgate.admin("/wasm/plugins")) as {
    plugins: { versions: { name: string }[] }[];
  };
  return page.plugins.flatMap((plugin) => plugin.versions.map(({ name }) => name));
}

test("a queue's consumer moves once with each swap: no item is lost, none comes twice", async () => {
  const headgate = await start([
    "configure register_shared_queue q",
    "request_headers enqueue_shared_queue 1 item",
    "queue_ready dequeue_shared_queue 1",
  ]);
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 4, body: "hello" });
  for (const version of ["v1", "v2", "v3", "v4"]) {
    const before = load.answered;
    expect(await push(headgate, "", `queue_ready say ${version}`)).toBe("primary");
    await headgate.waitFor(() => load.answered > before + 20, "traffic after a push");
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  const taken = (): number => headgate.output.match(/queue 1 -> 0 \[item\]/g)?.length ?? 0;
  await headgate.waitFor(() => taken() >= load.answered, "the last item");
  // Those of this one come behind all that may come twice.
  const from = headgate.output.length;
  expect((await get(target)).status).toBe(200);
  await headgate.waitFor(() => taken() > load.answered, "one more");
  expect(taken()).toBe(load.answered + 1);
  expect(headgate.output.slice(from).match(/ {3}v\d/g)).toEqual(["   v4"]);
}, 60_000);

test("versions share what the ones before shared, unless a push says otherwise", async () => {
  const headgate = await start(["request_headers get_shared_data k"]);
  const target = await headgate.listener();
  const set = (value: string): string => `request_headers set_shared_data k ${value} 0`;
  /** What the version that serves finds, before it sets its own. */
  const found = async (): Promise<string> => {
    const from = headgate.output.length;
    await get(target);
    await headgate.says(/get_shared_data k -> /, from);
    return /get_shared_data k -> (.*)/.exec(headgate.output.slice(from))?.[1] ?? "";
  };
  const [first] = await versions(headgate);
  await push(headgate, "", set("one"));
  expect([await found(), await found()]).toEqual(["1", "0 [one]"]);
  expect(await push(headgate, "?shared_data=fresh", set("two"))).toBe("primary");
  expect([await found(), await found()]).toEqual(["1", "0 [two]"]);
  // What comes after it goes on with what it has, what was before it with what that had.
  await push(headgate, "", set("three"));
  expect([await found(), await found()]).toEqual(["0 [two]", "0 [three]"]);
  expect(await push(headgate, "?shared_data=fresh", set("three"))).toEqual([
    expect.stringMatching(/^version .* serves already: expected another one/),
  ]);
  await push(headgate, "?shared_data=fresh&canary=100", set("four"));
  expect([await found(), await found()]).toEqual(["1", "0 [four]"]);
  const rollback = `http://${headgate.adminAddress}/wasm/plugins/guest/rollback`;
  await fetch(rollback, { method: "POST" });
  expect(await found()).toBe("0 [three]");
  await fetch(`${rollback}?version=${first}`, { method: "POST" });
  expect(await found()).toBe("0 [one]");
}, 60_000);
