// A thread with an engine of its own that answers each read with "<its id>:<what came>".
import { parentPort, workerData } from "node:worker_threads";
import type { IoEvents, IoHandle } from "../../runtime/src/engine/network-engine.ts";
import { createEngine, type EngineKind } from "./engine-kind.ts";
import { anyPort, listenOptions } from "./recorder.ts";

const { kind, id, port, estateMemory } = workerData as {
  kind: EngineKind;
  id: string;
  port: number;
  estateMemory?: SharedArrayBuffer;
};
const engine = createEngine(kind, estateMemory);

class Echo implements IoEvents {
  readonly #io: IoHandle;

  constructor(io: IoHandle) {
    this.#io = io;
  }

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    this.#io.writeText(`${id}:`);
    this.#io.writeLent(buffer, 0, length);
  }

  onWritable(): void {}

  onEnd(): void {
    this.#io.close();
  }

  onClose(): void {}
}

const listener = engine.listen(
  { ...anyPort, port },
  { ...listenOptions, reusePort: true },
  {
    onListening: () => parentPort?.postMessage({ port: listener.localAddress.port }),
    onAccept: (io) => new Echo(io),
    onError: (code) => parentPort?.postMessage({ code }),
  },
);
