// Loaded into Headgate before its own code (NODE_OPTIONS), in the main thread and in each worker:
// writes what each of them has in memory, which nobody outside of the process can tell apart.
import { appendFileSync } from "node:fs";
import v8 from "node:v8";
import vm from "node:vm";
import { isMainThread, threadId, threadName } from "node:worker_threads";

const EVERY_MS = 10_000;
/** Garbage is collected before each so-manieth look: what is left then is held by somebody. */
const LOOKS_PER_COLLECTION = 30;

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc");
const name = isMainThread ? "main" : threadName;
let looks = 0;

function look() {
  looks += 1;
  const isCollected = looks % LOOKS_PER_COLLECTION === 0;
  if (isCollected) collect();
  const heap = v8.getHeapStatistics();
  const { arrayBuffers, external } = process.memoryUsage();
  const figures = {
    atMs: Date.now(),
    thread: threadId,
    name,
    isCollected,
    heapUsed: heap.used_heap_size,
    heapPhysical: heap.total_physical_size,
    malloced: heap.malloced_memory,
    contexts: heap.number_of_native_contexts,
    detachedContexts: heap.number_of_detached_contexts,
    globalHandles: heap.used_global_handles_size,
    external,
    arrayBuffers,
  };
  appendFileSync(process.env["SOAK_MEMORY_FILE"], `${JSON.stringify(figures)}\n`);
}

setInterval(look, EVERY_MS).unref();
