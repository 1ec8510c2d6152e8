// The command line with workers that tests can make to die: SIGUSR2 throws in the worker of the lowest
// thread id. Nothing of this is in the product.
import { BroadcastChannel } from "node:worker_threads";
import { main } from "../src/cli/main.ts";

const channel = new BroadcastChannel("crash");
let next = 0;
process.on("SIGUSR2", () => {
  channel.postMessage(next);
  next += 1;
});
channel.unref();
const entry = new URL("crashable-worker.ts", import.meta.url);
process.exit(await main(process.argv.slice(2), entry));
