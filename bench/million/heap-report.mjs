// Loaded into every thread of Headgate by NODE_OPTIONS: writes how large its heap is, each second.
import { appendFileSync } from "node:fs";
import v8 from "node:v8";
import { threadId } from "node:worker_threads";

const file = process.env.HEADGATE_HEAP_REPORT;
const report = () => {
  const { used_heap_size: used, external_memory: external } = v8.getHeapStatistics();
  appendFileSync(file, `${threadId} ${used} ${external}\n`);
};
if (file !== undefined) setInterval(report, 1000).unref();
