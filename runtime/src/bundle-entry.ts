// The bundle's one entry: the command line in the main thread, a worker in a worker thread.
import { isMainThread } from "node:worker_threads";

const entry = new URL(import.meta.url);
if (isMainThread) {
  // First of all, or Node.js opens its debugger's port on it.
  process.on("SIGUSR1", () => {});
  refuseOldNode();
  const { main } = await import("./cli/main.ts");
  process.exit(await main(process.argv.slice(2), entry));
} else await import("./server/worker-entry.ts");

/** A package installed with --omit=optional runs on what the system has. */
function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return;
  process.stderr.write(
    `Headgate needs Node.js >= 24.15, but is running on ${process.version}.\n` +
      "Install it with its optional dependencies: they bring a pinned Node.js.\n",
  );
  process.exit(78);
}
