import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LateFetches } from "./late-fetches.ts";
import { FetchError } from "./remote-code.ts";
import type { MissingModule, RemoteFetcher } from "./remote-code.ts";

const missing: MissingModule = {
  remote: {
    uri: "http://modules.local/a.wasm",
    cluster: "store",
    timeoutMs: 1000,
    retries: 1,
    retryBaseMs: 1000,
    retryMaxMs: 10_000,
    isRequired: false,
  },
  sha256: "00",
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Asks a server that fails so many times; the times of its requests, and what was told. */
function follow(
  failures: number,
  chance: number,
): { readonly at: number[]; readonly told: string[] } {
  const at: number[] = [];
  const told: string[] = [];
  const began = Date.now();
  const fetcher = {
    fetch: async (): Promise<Buffer> => {
      at.push(Date.now() - began);
      if (at.length <= failures) throw new FetchError("a", ["no"]);
      return Buffer.alloc(0);
    },
    close: () => {},
  } as unknown as RemoteFetcher;
  const random = { u32: () => chance, uuid: () => "" };
  const fetches = new LateFetches(
    () => fetcher,
    (uri) => told.push(uri),
    random,
  );
  fetches.follow([missing]);
  return { at, told };
}

test("asks ever more seldom, at least once a minute, until the module comes", async () => {
  const { at, told } = follow(8, 0);
  await vi.advanceTimersByTimeAsync(300_000);
  // Half of 1, 2, 4, ... 64 s, and of a minute from then on.
  expect(at).toEqual([500, 1500, 3500, 7500, 15_500, 31_500, 61_500, 91_500, 121_500]);
  expect(told).toEqual(["http://modules.local/a.wasm"]);
});

test("chance moves each of the times, so that not all proxies ask at once", async () => {
  const { at } = follow(3, 499);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(at).toEqual([999, 2498, 4997, 9496]);
});

test("a module that nobody misses any more is not asked for", async () => {
  const at: number[] = [];
  const fetches = new LateFetches(
    () => {
      at.push(1);
      throw new Error("asked");
    },
    () => {},
  );
  fetches.follow([missing]);
  fetches.follow([]);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(at).toEqual([]);
});
