// What the probe's thread runs: it looks at plugins, tells what it found, and ends.
import { parentPort, workerData } from "node:worker_threads";
import type { ProbeBirth } from "./plugin-probe.ts";
import { probePlugins } from "./probe-thread.ts";

if (parentPort === null) throw new Error("probe-entry runs in threads only");
const port = parentPort;
await probePlugins(workerData as ProbeBirth, (result) => port.postMessage(result));
// Only this thread ends. Ended from the outside at this point, V8 has been seen to abort.
process.exit(0);
