// @headgate/runtime/testing/vitest: importing it teaches vitest's expect about filters, and ends after
// each test the filters that it has loaded. Name it in `setupFiles`, or import it in a test's file.
import { afterAll, afterEach, beforeEach, expect, vi } from "vitest";
import { type FilterMatchers, filterMatchers } from "./matchers.ts";
import { openFilters, type TestFilter } from "./test-filter.ts";

export type { FilterMatchers, LocalReplyMatch } from "./matchers.ts";

declare module "vitest" {
  // oxlint-disable-next-line typescript/no-empty-object-type -- it adds to vitest's own
  interface Matchers<R, T> extends FilterMatchers<R> {}
}

expect.extend(filterMatchers);

/** vitest's own; a compiler on a busy machine takes longer, and it runs in the first test. */
const TIMEOUT_DEFAULT_MS = 5000;
const TIMEOUT_MS = 60_000;

/** What the project asks for stays: `vi` sets the time that tests have, but does not tell it. */
const worker = (globalThis as { __vitest_worker__?: { config?: { testTimeout?: number } } })
  .__vitest_worker__;
if (worker?.config?.testTimeout === TIMEOUT_DEFAULT_MS) {
  vi.setConfig({ testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS });
}

/** Loaded outside of tests, in beforeAll for instance: they end with the file. */
let earlier: ReadonlySet<TestFilter> = new Set();

beforeEach(() => {
  earlier = new Set(openFilters());
});

afterEach(async () => {
  for (const filter of openFilters()) if (!earlier.has(filter)) await filter.close();
});

afterAll(async () => {
  for (const filter of openFilters()) await filter.close();
});
