// What threads run: a worker, which answers the main thread's messages, or the probe of plugins.
import { parentPort, workerData } from "node:worker_threads";
import type { ProbeBirth } from "./plugin-probe.ts";
import type { FromWorker, ToWorker, WorkerBirth } from "./protocol.ts";

if (parentPort === null) throw new Error("worker-entry runs in threads only");
const port = parentPort;
const birth = workerData as WorkerBirth | ProbeBirth;
if (birth.kind === "headgate-probe") {
  const { probePlugins } = await import("./probe-thread.ts");
  await probePlugins(birth, (result) => port.postMessage(result));
  // Only this thread ends. Ended from the outside at this point, V8 has been seen to abort.
  process.exit(0);
} else {
  const [
    { startBeating },
    { noteKernelThread },
    { PulseMemory },
    { WorkerServer },
    { startCountingCpu },
  ] = await Promise.all([
    import("./beating.ts"),
    import("./cpu-waits.ts"),
    import("./pulse.ts"),
    import("./worker.ts"),
    import("./worker-cpu.ts"),
  ]);
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
}
