// A thread with an engine of its own that answers each read with "<its id>:<what came>".
import { parentPort, workerData } from "node:worker_threads";
import { Clock } from "../../runtime/src/core/clock.ts";
import type { IoEvents, IoHandle } from "../../runtime/src/engine/network-engine.ts";
import { createNodeEngine, type NodeRung } from "../../runtime/src/engine-node/node-engine.ts";
import { anyPort, listenOptions } from "./recorder.ts";

const { rung, id, port } = workerData as { rung: NodeRung; id: string; port: number };
const engine = createNodeEngine({ clock: new Clock(), rung });

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
