// Sends thousands of requests and looks whether guests keep what they should let go.
import type { FilterHost } from "../test/harness.ts";
import { type StreamRequest, type StreamResponse, withChunks } from "./stream.ts";

export interface SoakOptions {
  /** Default: a GET of "/". By its number, from 0 on, when it is a function. */
  readonly request?: StreamRequest | ((index: number) => StreamRequest);
  /** Default: 200 without a body. */
  readonly response?: StreamResponse;
  /** Bytes that the guests' memory may still grow in the second half. Default 0. */
  readonly growthBytesMax?: number;
}

export interface SoakReport {
  readonly requests: number;
  /** Of the guests' memory, after the first half and at the end. */
  readonly memoryBytes: readonly [number, number];
  /** Contexts before and after. */
  readonly contexts: readonly [number, number];
}

/** Streams between two looks at what went wrong. */
const BATCH = 100;

/** Something grows with each request. */
export class LeakError extends Error {
  override readonly name = "LeakError";
}

/** The first half lets allocators and garbage collectors come to their size. */
export function soak(
  host: FilterHost,
  count: number,
  options: SoakOptions,
  judge: () => void,
  forget: () => void,
): SoakReport {
  const { request = {}, response = {}, growthBytesMax = 0 } = options;
  const requestOf = typeof request === "function" ? request : (): StreamRequest => request;
  const upstream = withChunks(response);
  const before = host.contexts;
  const half = Math.ceil(count / 2);
  const round = (from: number, to: number): number => {
    for (let i = from; i < to; i += 1) {
      host.request({ ...withChunks(requestOf(i)), upstream });
      if (i % BATCH !== BATCH - 1) continue;
      judge();
      forget();
    }
    judge();
    forget();
    return host.guestMemoryBytes;
  };
  const first = round(0, half);
  const last = round(half, half * 2);
  const after = host.contexts;
  if (after > before) {
    const streams = after - before;
    throw new LeakError(
      `${streams} of ${half * 2} streams did not end: a filter holds them for ever, or a call that ` +
        "they wait for is not answered",
    );
  }
  if (last - first > growthBytesMax) {
    const perRequest = Math.round((last - first) / half);
    throw new LeakError(
      `the guests' memory grew from ${first} to ${last} bytes over ${half} requests, some ` +
        `${perRequest} bytes for each: something is kept that should go with its stream ` +
        "(or more requests are needed until it is as large as it gets)",
    );
  }
  return { requests: half * 2, memoryBytes: [first, last], contexts: [before, after] };
}
