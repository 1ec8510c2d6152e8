// The command line with workers that tests can make to die: each SIGUSR2 makes the next one throw,
// at once or after CRASH_AFTER_MS of standing still. Nothing of this is in the product.
import { BroadcastChannel } from "node:worker_threads";
import { main } from "../src/cli/main.ts";

const args = process.argv.slice(2);
const workers = Number(args[args.indexOf("--concurrency") + 1]);
const channel = new BroadcastChannel("crash");
let next = 0;
process.on("SIGUSR2", () => {
  channel.postMessage(next % workers);
  next += 1;
});
channel.unref();
const entries = {
  worker: new URL("crashable-worker.ts", import.meta.url),
  probe: new URL("../src/server/probe-entry.ts", import.meta.url),
};
process.exit(await main(args, entries));
