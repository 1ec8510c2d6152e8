// The bundle's one entry: the command line in the main thread, a worker in a worker thread.
import { isMainThread } from "node:worker_threads";

const entry = new URL(import.meta.url);
if (isMainThread) {
  // Until the server listens to it: Node.js would open its debugger's port.
  process.on("SIGUSR1", () => {});
  const { main } = await import("./cli/main.ts");
  process.exit(await main(process.argv.slice(2), entry));
} else await import("./server/worker-entry.ts");
