// The bundle's entry: the command line in the main thread, the probe in another one. Workers have a
// file of their own.
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  // First of all, or Node.js opens its debugger's port on it.
  process.on("SIGUSR1", () => {});
  refuseOldNode();
  const { main } = await import("./cli/main.ts");
  const entries = {
    worker: new URL("./worker.mjs", import.meta.url),
    probe: new URL(import.meta.url),
  };
  process.exit(await main(process.argv.slice(2), entries));
} else await import("./server/probe-entry.ts");

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
