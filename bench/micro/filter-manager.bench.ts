// What the filter manager itself costs a stream: reset, both heads and a body through filters that
// only say Continue, log, destroy.
import type { BufferQueue } from "../../runtime/src/core/buffer-queue.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { StreamInfo } from "../../runtime/src/core/stream-info.ts";
import { FilterManager } from "../../runtime/src/filter/filter-manager.ts";
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "../../runtime/src/filter/filter-status.ts";
import {
  type FilterChainEnds,
  FilterWants,
  type HttpFilter,
} from "../../runtime/src/filter/http-filter.ts";
import type { MicroBench } from "./runner.ts";

class PassingFilter implements HttpFilter {
  readonly wants: number;
  calls: number = 0;

  constructor(wants: number) {
    this.wants = wants;
  }

  attach(): void {}

  decodeHeaders(_headers: HeaderMap, _end: boolean): FilterHeadersStatus {
    this.calls += 1;
    return FilterHeadersStatus.Continue;
  }

  decodeData(_data: BufferQueue, _end: boolean): FilterDataStatus {
    return FilterDataStatus.Continue;
  }

  decodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  encodeHeaders(_headers: HeaderMap, _end: boolean): FilterHeadersStatus {
    this.calls += 1;
    return FilterHeadersStatus.Continue;
  }

  encodeData(_data: BufferQueue, _end: boolean): FilterDataStatus {
    this.calls += 1;
    return FilterDataStatus.Continue;
  }

  encodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }

  onLog(): void {}
  onDestroy(): void {}
}

let left = 0;

/** Counts what leaves the chain. */
const ends: FilterChainEnds = {
  onRequestHeaders: () => void (left += 1),
  onRequestData: () => {},
  onRequestTrailers: () => {},
  onResponseHeaders: () => void (left += 1),
  onResponseData: () => void (left += 1),
  onResponseTrailers: () => {},
  onLocalReply: () => {},
  onFilterReset: () => {},
  onClearRouteCache: () => {},
  onDecodeReadDisable: () => {},
  onEncodeReadDisable: () => {},
};

const HEADERS: number = FilterWants.DecodeHeaders | FilterWants.EncodeHeaders;
const BODY_BYTES = 100;

function streams(count: number, wants: number): (times: number) => number {
  const manager = new FilterManager();
  const info = new StreamInfo();
  const request = new HeaderMap();
  const response = new HeaderMap();
  response.status = 200;
  const body = Buffer.alloc(BODY_BYTES);
  const filters = Array.from({ length: count }, () => new PassingFilter(wants));
  return (times) => {
    const before = left;
    for (let i = 0; i < times; i += 1) {
      manager.reset(filters, ends, info, 0);
      manager.decodeHeaders(request, true);
      manager.encodeHeaders(response, false);
      manager.encodeData(body, 0, BODY_BYTES, true);
      manager.log();
      manager.destroy();
    }
    if (left - before !== times * 3) throw new Error("something did not leave the chain");
    return left;
  };
}

export const benches: readonly MicroBench[] = [
  { name: "no filter", run: streams(0, 0) },
  { name: "one filter of heads", run: streams(1, HEADERS) },
  { name: "five filters of heads", run: streams(5, HEADERS) },
  { name: "one filter of heads and bodies", run: streams(1, HEADERS | FilterWants.EncodeData) },
];
