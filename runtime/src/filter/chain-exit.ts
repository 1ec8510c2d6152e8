// Where one direction of a chain ends: hands what left the filters to the router or to the codec's
// side.
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { FilterChainEnds } from "./http-filter.ts";

const EMPTY: Buffer = Buffer.alloc(0);

/** After close() nothing passes. */
export class ChainExit {
  readonly #isDecode: boolean;
  #ends: FilterChainEnds | null = null;

  constructor(isDecode: boolean) {
    this.#isDecode = isDecode;
  }

  open(ends: FilterChainEnds): void {
    this.#ends = ends;
  }

  close(): void {
    this.#ends = null;
  }

  headers(headers: HeaderMap, end: boolean): void {
    if (this.#isDecode) this.#ends?.onRequestHeaders(headers, end);
    else this.#ends?.onResponseHeaders(headers, end);
  }

  /** Bytes lent for the call. */
  data(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (this.#isDecode) this.#ends?.onRequestData(buffer, from, to, end);
    else this.#ends?.onResponseData(buffer, from, to, end);
  }

  /** Nothing without bytes, unless it is the end. Nobody may look at the queue again. */
  queue(queue: BufferQueue, end: boolean): void {
    if (queue.length === 0) {
      if (end) this.data(EMPTY, 0, 0, true);
      return;
    }
    const chunks = queue.chunks;
    const last = chunks.length - 1;
    for (let i = 0; i <= last; i += 1) {
      const chunk = chunks[i] as Buffer;
      this.data(chunk, 0, chunk.length, end && i === last);
    }
    queue.release();
  }

  trailers(trailers: HeaderMap): void {
    if (this.#isDecode) this.#ends?.onRequestTrailers(trailers);
    else this.#ends?.onResponseTrailers(trailers);
  }

  readDisable(disabled: boolean): void {
    if (this.#isDecode) this.#ends?.onDecodeReadDisable(disabled);
    else this.#ends?.onEncodeReadDisable(disabled);
  }
}
