// A worker that throws when crashable-main.ts asks the one of its turn for it.
import { BroadcastChannel, workerData } from "node:worker_threads";
import type { WorkerBirth } from "../src/server/protocol.ts";
import "../src/server/worker-entry.ts";

const channel = new BroadcastChannel("crash");
channel.onmessage = (event: unknown): void => {
  const { data } = event as { data: number };
  if (data === (workerData as WorkerBirth).index) throw new Error("crashed for the test");
};
channel.unref();
