// A worker that throws when crashable-main.ts asks the one of its turn for it.
import { BroadcastChannel, workerData } from "node:worker_threads";
import type { WorkerBirth } from "../src/server/protocol.ts";
import "../src/server/worker-entry.ts";

const channel = new BroadcastChannel("crash");
channel.onmessage = (event: unknown): void => {
  const { data } = event as { data: number };
  if (data !== (workerData as WorkerBirth).index) return;
  const standsStillMs = Number(process.env["CRASH_AFTER_MS"] ?? 0);
  if (standsStillMs > 0) {
    process.stderr.write(`worker ${data} stands still\n`);
    // The kernel goes on to put connections into its accept queues.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, standsStillMs);
  }
  throw new Error("crashed for the test");
};
channel.unref();
