// envoy.filters.network.direct_response: says its words to whoever connects, and closes. A terminal
// network filter.
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
} from "../filter/network-filter.ts";

export class DirectResponseFactory implements NetworkFilterFactory {
  readonly #body: Uint8Array;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter {
    return new DirectResponseFilter(callbacks, this.#body);
  }
}

class DirectResponseFilter implements NetworkFilter {
  readonly #callbacks: NetworkFilterCallbacks;
  readonly #body: Uint8Array;

  constructor(callbacks: NetworkFilterCallbacks, body: Uint8Array) {
    this.#callbacks = callbacks;
    this.#body = body;
  }

  onNewConnection(): void {
    const { stream } = this.#callbacks.info;
    if (stream !== null) stream.responseCodeDetails = "direct_response";
    this.#callbacks.io.write(Buffer.from(this.#body));
    this.#callbacks.closeAfterFlush(0);
  }

  onData(): void {}

  onWritable(): void {}

  onEnd(): void {}

  onClose(): void {}

  onDelayedCloseTimeout(): void {}

  onTimeoutsChanged(): void {}

  onShutdown(): void {}
}
