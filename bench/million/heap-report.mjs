// Loaded into every thread of Headgate by NODE_OPTIONS: writes how large its heap is, each second.
import { appendFileSync } from "node:fs";
import v8 from "node:v8";
import vm from "node:vm";
import { threadId } from "node:worker_threads";

/** Garbage is collected before each so-manieth look: what is left then is held by somebody. */
const LOOKS_PER_COLLECTION = 5;

const file = process.env.HEADGATE_HEAP_REPORT;
v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc");
let looks = 0;
const report = () => {
  looks += 1;
  const isCollected = looks % LOOKS_PER_COLLECTION === 0;
  if (isCollected) collect();
  const { used_heap_size: used, external_memory: external } = v8.getHeapStatistics();
  appendFileSync(file, `${threadId} ${used} ${external} ${isCollected ? 1 : 0}\n`);
};
if (file !== undefined) setInterval(report, 1000).unref();
