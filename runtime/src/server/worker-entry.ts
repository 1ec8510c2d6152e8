// What a worker's thread runs: it serves, and answers the main thread's messages.
import { parentPort, workerData } from "node:worker_threads";
import { startBeating } from "./beating.ts";
import { noteKernelThread } from "./cpu-waits.ts";
import type { FromWorker, ToWorker, WorkerBirth } from "./protocol.ts";
import { PulseMemory } from "./pulse.ts";
import { startCountingCpu } from "./worker-cpu.ts";
import { WorkerServer } from "./worker.ts";

if (parentPort === null) throw new Error("worker-entry runs in threads only");
const port = parentPort;
const birth = workerData as WorkerBirth;
const pulse = new PulseMemory(birth.pulseMemory);
noteKernelThread(pulse, birth.index);
// In a worker process.abort() is not to be had.
startBeating(pulse, birth.index, () => {
  process.kill(process.pid, "SIGABRT");
});
const server = new WorkerServer(birth, (message: FromWorker) => port.postMessage(message));
startCountingCpu(server.stats);
process.once("exit", () => server.onExit());
port.on("message", (message: ToWorker) => server.onMessage(message));
