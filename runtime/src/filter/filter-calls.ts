// Calls the filters of one direction, and knows what is being called; used by FilterDirection
// alone.
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from "./filter-status.ts";
import { FilterWants, type HttpFilter } from "./http-filter.ts";

/**
 * Indices count in the direction's order. A callback that is not wanted is not made and counts as
 * answered with Continue, as the default methods of Envoy's filters do.
 */
export class FilterCalls {
  readonly #isDecode: boolean;
  readonly #wantsHeaders: number;
  readonly #wantsData: number;
  readonly #wantsTrailers: number;
  #filters: readonly HttpFilter[];
  #last: number = -1;
  #isDataWanted: boolean = false;
  #areHeadersWanted: boolean = false;
  #current: number = -1;
  #currentData: BufferQueue | null = null;
  #isLastData: boolean = false;
  #isContinueAsked: boolean = false;

  constructor(isDecode: boolean) {
    this.#isDecode = isDecode;
    this.#wantsHeaders = isDecode ? FilterWants.DecodeHeaders : FilterWants.EncodeHeaders;
    this.#wantsData = isDecode ? FilterWants.DecodeData : FilterWants.EncodeData;
    this.#wantsTrailers = isDecode ? FilterWants.DecodeTrailers : FilterWants.EncodeTrailers;
    this.#filters = [];
  }

  /** `wantsAny` is the union of the filters' wants. */
  reset(filters: readonly HttpFilter[], wantsAny: number): void {
    this.#filters = filters;
    this.#last = filters.length - 1;
    this.#isDataWanted = (wantsAny & this.#wantsData) !== 0;
    this.#areHeadersWanted = (wantsAny & this.#wantsHeaders) !== 0;
    this.#current = -1;
    this.#currentData = null;
    this.#isLastData = false;
    this.#isContinueAsked = false;
  }

  /** The filter whose callback runs, -1 = none. */
  get current(): number {
    return this.#current;
  }

  /** Some filter wants body. */
  get isDataWanted(): boolean {
    return this.#isDataWanted;
  }

  /** Some filter wants headers. */
  get areHeadersWanted(): boolean {
    return this.#areHeadersWanted;
  }

  /** A data callback with `end` is running. */
  get isLastData(): boolean {
    return this.#isLastData;
  }

  headers(at: number, headers: HeaderMap, end: boolean): FilterHeadersStatus {
    const filter = this.#filterAt(at);
    if ((filter.wants & this.#wantsHeaders) === 0) return FilterHeadersStatus.Continue;
    this.#current = at;
    const status = this.#isDecode
      ? filter.decodeHeaders(headers, end)
      : filter.encodeHeaders(headers, end);
    this.#current = -1;
    return status;
  }

  data(at: number, queue: BufferQueue, end: boolean): FilterDataStatus {
    const filter = this.#filterAt(at);
    if ((filter.wants & this.#wantsData) === 0) return FilterDataStatus.Continue;
    this.#current = at;
    this.#currentData = queue;
    this.#isLastData = end;
    const status = this.#isDecode ? filter.decodeData(queue, end) : filter.encodeData(queue, end);
    this.#current = -1;
    this.#currentData = null;
    this.#isLastData = false;
    return status;
  }

  trailers(at: number, trailers: HeaderMap): FilterTrailersStatus {
    const filter = this.#filterAt(at);
    if ((filter.wants & this.#wantsTrailers) === 0) return FilterTrailersStatus.Continue;
    this.#current = at;
    const status = this.#isDecode
      ? filter.decodeTrailers(trailers)
      : filter.encodeTrailers(trailers);
    this.#current = -1;
    return status;
  }

  /** True when the callback of filter `at` runs: its wish to continue is kept until it returns. */
  askContinue(at: number): boolean {
    if (this.#current !== at) return false;
    this.#isContinueAsked = true;
    return true;
  }

  /** Whether the callback that just returned asked to continue; asks are forgotten. */
  takeContinueAsked(): boolean {
    const asked = this.#isContinueAsked;
    this.#isContinueAsked = false;
    return asked;
  }

  /** Adds to the body that filter `at` is just looking at; false when it is not. */
  addToCurrent(at: number, data: Buffer): boolean {
    if (this.#current !== at || this.#currentData === null) return false;
    this.#currentData.append(data);
    return true;
  }

  #filterAt(at: number): HttpFilter {
    return this.#filters[this.#isDecode ? at : this.#last - at] as HttpFilter;
  }
}
