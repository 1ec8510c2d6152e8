// Event loops that are stuck: seen, named, replaced, while the others serve on.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { HeadgateProcess, Scratch } from "./headgate-process.ts";

let upstream: Server;
let upstreamPort: number;
let wasm: string;
let scratch: Scratch;
let running: HeadgateProcess[] = [];

beforeAll(async () => {
  upstream = createServer((_request, response) => {
    response.end("from the upstream");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  upstreamPort = (upstream.address() as AddressInfo).port;
});

afterAll(() => {
  upstream.close();
  upstream.closeAllConnections();
});

beforeEach(async () => {
  scratch = new Scratch();
  wasm = scratch.path("guest.wasm");
  writeFileSync(wasm, await compileGuest("script"));
});

afterEach(async () => {
  for (const headgate of running) await headgate.end();
  running = [];
  scratch.remove();
});

async function start(config: object, flags: readonly string[]): Promise<HeadgateProcess> {
  const headgate = await HeadgateProcess.start(scratch, config, { concurrency: 2, flags });
  running.push(headgate);
  return headgate;
}

test("a guest that never returns is named and ended; other workers serve on", async () => {
  // The second request on each worker loops: in each, one stream is lost.
  const filters = [wasmFilter(wasm, "spinner", "request_headers#2 loop")];
  const watchdogs = { worker_watchdog: { miss_timeout: "0.1s", megamiss_timeout: "0.3s" } };
  const config = { ...bootstrap({ upstreamPort, filters }), watchdogs };
  const headgate = await start(config, ["--worker-stuck-kill-s", "1"]);
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
  const path = scratch.write("envoy.yaml", bootstrap({ filters }));
  const flags = ["--concurrency", "1", "--worker-stuck-kill-s", "1"];
  const headgate = new HeadgateProcess(["-c", path, ...flags]);
  running.push(headgate);
  expect((await headgate.exited).code).toBe(1);
  expect(headgate.output).toMatch(
    /worker 0 died: stuck for \d\.\d s in plugin endless, proxy_on_configure/,
  );
});
