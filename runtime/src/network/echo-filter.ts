// envoy.filters.network.echo: what comes goes back. A terminal network filter.
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
} from "../filter/network-filter.ts";

export const echoFactory: NetworkFilterFactory = {
  createFilter: (callbacks) => new EchoFilter(callbacks),
};

class EchoFilter implements NetworkFilter {
  readonly #callbacks: NetworkFilterCallbacks;
  #isPaused: boolean = false;

  constructor(callbacks: NetworkFilterCallbacks) {
    this.#callbacks = callbacks;
  }

  onNewConnection(): void {}

  onData(buffer: Buffer, length: number): void {
    if (!this.#callbacks.io.writeLent(buffer, 0, length)) this.#pause(true);
  }

  onWritable(): void {
    this.#pause(false);
  }

  /** All of it is answered. */
  onEnd(): void {
    this.#callbacks.closeAfterFlush(0);
  }

  onClose(): void {}

  onDelayedCloseTimeout(): void {}

  onTimeoutsChanged(): void {}

  /** It is never idle: the client ends it. */
  onShutdown(): void {}

  /** The client that does not read is not read either. */
  #pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.#callbacks.io.readDisable(isPaused);
  }
}
