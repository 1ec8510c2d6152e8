// A client that writes raw bytes and keeps all that comes back; for the process tests beside it.
import net from "node:net";

/** For what never comes. */
const WAIT_MS = 60_000;

/** A client's connection. */
export class RawClient {
  readonly #socket: net.Socket;
  received: string;
  receivedBytes: number;
  isEnded: boolean;
  /** Counts only: what came is not kept. */
  keepsNothing: boolean;
  #wake: () => void;

  constructor(port: number) {
    this.received = "";
    this.receivedBytes = 0;
    this.isEnded = false;
    this.keepsNothing = false;
    this.#wake = () => undefined;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    this.#socket.on("data", (part) => {
      this.receivedBytes += part.length;
      if (!this.keepsNothing) this.received += part.toString("latin1");
      this.#wake();
    });
    const end = (): void => {
      this.isEnded = true;
      this.#wake();
    };
    this.#socket.on("end", end).on("error", end).on("close", end);
  }

  send(bytes: string, fin = false): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes, "latin1");
    if (fin) this.#socket.end();
  }

  /** Writes `piece` again and again, as fast as it is taken, until an answer or the end comes. */
  async sendForEver(piece: string): Promise<void> {
    const bytes = Buffer.from(piece, "latin1");
    while (!this.isEnded && this.received === "" && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        // What is written at once is answered before anything is read: let the loop turn.
        this.#socket.write(bytes, () => setImmediate(resolve));
      });
    }
  }

  /** Stops and starts reading. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits until `isDone` or the connection's end; false when neither came in time. */
  async until(isDone: () => boolean, waitMs: number = WAIT_MS): Promise<boolean> {
    const stopAt = Date.now() + waitMs;
    while (!isDone() && !this.isEnded) {
      const left = stopAt - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  close(): void {
    this.#socket.destroy();
  }
}
