import { expect, test } from "vitest";
import {
  quantileMs,
  readVersionCounts,
  releaseVersionCounts,
  totalsSince,
  VersionCounts,
  versionCountsMemory,
} from "./version-counts.ts";

test("threads count in rows of their own, and readers see sums", () => {
  const memory = versionCountsMemory(2);
  const [first, second] = [new VersionCounts(memory, 0), new VersionCounts(memory, 1)];
  for (const counts of [first, second, second]) counts.onStream();
  first.onStreamDone(4, 200);
  second.onStreamDone(2, 503);
  second.addFuel(40);
  first.addFuel(2);
  first.onStopped(true);
  second.onStopped(false);
  expect(readVersionCounts(memory)).toMatchObject({
    streams: 3,
    active: 1,
    done: 2,
    errors: 1,
    stoppedFuel: 1,
    stoppedOther: 1,
    fuel: 42,
    durationMs: 6,
  });
  // The stream of a thread that died is not there any more, its past is.
  releaseVersionCounts(memory, 1);
  expect(readVersionCounts(memory)).toMatchObject({ streams: 3, active: 0 });
});

test("quantiles are right within a bucket, a factor of 1.2", () => {
  const memory = versionCountsMemory(1);
  const counts = new VersionCounts(memory, 0);
  expect(quantileMs(readVersionCounts(memory), 0.5)).toBe(0);
  for (let ms = 1; ms <= 1000; ms += 1) counts.onStreamDone(ms, 200);
  for (const share of [0.1, 0.5, 0.9, 0.99]) {
    const found = quantileMs(readVersionCounts(memory), share) / (share * 1000);
    expect(found).toBeGreaterThan(1 / 1.2);
    expect(found).toBeLessThan(1.2);
  }
  const before = readVersionCounts(memory);
  for (let i = 0; i < 10; i += 1) counts.onStreamDone(i === 9 ? 1e12 : 0, 200);
  const since = totalsSince(readVersionCounts(memory), before);
  expect(since.done).toBe(10);
  expect(quantileMs(since, 0.9)).toBe(0);
  expect(quantileMs(since, 1)).toBeGreaterThan(3600_000);
});
