// Event loops that are stuck: seen, named, replaced, while the others serve on.
import { writeFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const upstream = useUpstream("from the upstream");
const processes = useProcesses();
let wasm: string;
/** Flags that let guests run as long as they like: nothing but the watchdog ends them. */
let unmetered: readonly string[];

beforeEach(async () => {
  wasm = processes.scratch.path("guest.wasm");
  writeFileSync(wasm, await compileGuest("script"));
  const policy = processes.scratch.write("policy.yaml", {
    default: { fuel: "off", start_time_ms: "off" },
  });
  unmetered = ["--wasm-policy", policy];
});

test("a guest that never returns is named and ended; other workers serve on", async () => {
  // The second request on each worker loops: in each, one stream is lost.
  const filters = [wasmFilter(wasm, "spinner", "request_headers#2 loop")];
  const watchdogs = { worker_watchdog: { miss_timeout: "0.1s", megamiss_timeout: "0.3s" } };
  const config = { ...bootstrap({ upstreamPort: upstream.port, filters }), watchdogs };
  const headgate = await processes.start(config, {
    concurrency: 2,
    flags: ["--worker-stuck-kill-s", "1", ...unmetered],
  });
  const target = await headgate.listener();
  const ask = (): Promise<unknown> =>
    fetch(`http://${target}/`, { headers: { connection: "close" } });
  const answers: Promise<unknown>[] = [];
  await headgate.waitFor(() => {
    answers.push(ask().catch((error: Error) => error));
    return headgate.output.includes("died: stuck for");
  }, "the end of a stuck worker");
  expect(headgate.output).toMatch(
    /worker_[01] has not answered for 300 ms in plugin spinner, proxy_on_request_headers/,
  );
  expect(headgate.output).toMatch(
    /worker [01] died: stuck for \d\.\d s in plugin spinner, proxy_on_request_headers; replacing/,
  );
  expect(await headgate.stat("workers.watchdog_miss")).toBeGreaterThan(0);
  expect(await headgate.stat("workers.watchdog_mega_miss")).toBeGreaterThan(0);
  // The admin interface is main's: it never waited.
  expect(await headgate.admin("/ready")).toBe("LIVE\n");
  headgate.kill("SIGTERM");
  await Promise.all(answers);
});

test("a guest that never returns from on_configure makes the start fail with its name", async () => {
  const filters = [wasmFilter(wasm, "endless", "configure loop")];
  const path = processes.scratch.write("envoy.yaml", bootstrap({ filters }));
  const flags = ["--concurrency", "1", "--worker-stuck-kill-s", "1", ...unmetered];
  const headgate = await processes.run("-c", path, ...flags);
  expect((await headgate.exited).code).toBe(1);
  expect(headgate.output).toMatch(
    /worker 0 died: stuck for \d\.\d s in plugin endless, proxy_on_configure/,
  );
});
