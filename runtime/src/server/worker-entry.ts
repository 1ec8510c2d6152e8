// What a worker thread runs: takes its birth data, answers the main thread's messages.
import { parentPort, workerData } from "node:worker_threads";
import { startBeating } from "./beating.ts";
import { PulseMemory } from "./pulse.ts";
import type { FromWorker, ToWorker, WorkerBirth } from "./protocol.ts";
import { WorkerServer } from "./worker.ts";

if (parentPort === null) throw new Error("worker-entry runs in worker threads only");
const port = parentPort;
const birth = workerData as WorkerBirth;
// In a worker process.abort() is not to be had.
startBeating(new PulseMemory(birth.pulseMemory), birth.index, () => {
  process.kill(process.pid, "SIGABRT");
});
const server = new WorkerServer(birth, (message: FromWorker) => port.postMessage(message));
port.on("message", (message: ToWorker) => server.onMessage(message));
