// What a worker's death takes along: requests whose streams it had, which get no answer and no line in the log, and the last
// bytes of answers.
import type { SimSocket } from "../../src/engine-sim/sim-socket.ts";
import type { Exchange } from "./exchange.ts";
import type { LogFile } from "./log-file.ts";
import type { SimWorker } from "./sim-worker.ts";

/** The excuse of an exchange that was in a worker when it died. */
export const workerDied = "worker-died";

export class Casualties {
  /** By the client's end of the connection that they were sent on. */
  readonly #sent: Map<SimSocket, Exchange[]>;
  /** Client's ends of connections whose worker is dead. */
  readonly #orphans: Set<SimSocket>;

  constructor() {
    this.#sent = new Map();
    this.#orphans = new Set();
  }

  noteSent(exchange: Exchange, socket: SimSocket | null): void {
    if (socket === null) return;
    // The client has not heard yet.
    if (this.#orphans.has(socket)) exchange.excuses.add(workerDied);
    const others = this.#sent.get(socket);
    if (others === undefined) this.#sent.set(socket, [exchange]);
    else others.push(exchange);
  }

  /** Before the worker's connections are closed. */
  onDeath(worker: SimWorker, log: LogFile): void {
    const logged = new Set(log.lines.map(({ id }) => id));
    for (const end of worker.engine.connections) {
      if (end.peer === null) continue;
      this.#orphans.add(end.peer);
      for (const exchange of this.#sent.get(end.peer) ?? []) {
        // The last bytes of what was logged may not have left.
        const hasArrived = exchange.outcome !== "open" && logged.has(String(exchange.id));
        if (!hasArrived) exchange.excuses.add(workerDied);
      }
    }
  }
}
