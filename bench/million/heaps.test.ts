// What a run of a million requests says of the heaps of Headgate's threads.
import { expect, test } from "vitest";
import { judgeHeaps, leastHeaps, liveHeaps, readHeaps } from "./heaps.ts";

const MIB = 1024 * 1024;

/** Looks of one thread, each second one behind a collection. */
function report(thread: number, live: readonly number[]): string {
  const lines = live.flatMap((mib) => [
    `${thread} ${(mib + 9) * MIB} ${MIB} 0`,
    `${thread} ${(mib - 1) * MIB} ${MIB} 1`,
  ]);
  return `${lines.join("\n")}\n`;
}

test("what lives is what is left of a collection, and garbage does not matter", () => {
  const looks = readHeaps(
    report(0, [20, 21, 22, 22, 22, 22, 22, 22]) + report(3, [10, 10, 10, 10]),
  );
  expect(leastHeaps(looks)).toEqual({ 0: 20, 3: 10 });
  const heaps = liveHeaps(looks);
  expect(heaps).toEqual([
    { thread: "0", looks: 8, thirdMib: 22, lastMib: 22 },
    { thread: "3", looks: 4, thirdMib: 10, lastMib: 10 },
  ]);
  expect(judgeHeaps(heaps)).toEqual([]);
});

test("a heap that grows in the second half is told by its thread, a short run is not judged", () => {
  const grown = [20, 20, 20, 20, 20, 20, 22.2, 22.4];
  const heaps = liveHeaps(readHeaps(report(0, grown) + report(2, grown) + report(4, [5, 50])));
  expect(judgeHeaps(heaps)).toEqual([
    "main's heap grows: 20.0 MiB in the third quarter, 22.3 in the last",
    "the heap of thread 2 grows: 20.0 MiB in the third quarter, 22.3 in the last",
  ]);
});
