// A thread with an io_uring engine that stands still in its first read until it is told to go on, and
// in its second connection for good, when it has closed the first.
import { parentPort, workerData } from "node:worker_threads";
import type { IoEvents, IoHandle } from "../../runtime/src/engine/network-engine.ts";
import { createEngine } from "./engine-kind.ts";
import { anyPort, listenOptions, Recorder } from "./recorder.ts";

const { estateMemory, flags } = workerData as {
  estateMemory: SharedArrayBuffer;
  /** 1 in the first word: go on. In the second: it stands still for good. */
  flags: Int32Array<SharedArrayBuffer>;
};
const engine = createEngine("io_uring", estateMemory);
let first: IoHandle | null = null;

function accept(io: IoHandle): IoEvents {
  const events = new Recorder();
  if (first !== null) {
    first.close();
    Atomics.store(flags, 1, 1);
    Atomics.notify(flags, 1);
    Atomics.wait(flags, 2, 0);
  }
  first = io;
  events.whenRead = (): void => {
    parentPort?.postMessage("stands still");
    Atomics.wait(flags, 0, 0);
  };
  return events;
}

const listener = engine.listen(anyPort, listenOptions, {
  onListening: () => parentPort?.postMessage(listener.localAddress.port),
  onAccept: accept,
  onError: (code) => parentPort?.postMessage(code),
});
