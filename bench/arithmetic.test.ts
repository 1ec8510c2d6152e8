// Checks the arithmetic of the benches on fixed inputs: nothing is measured here.
import { describe, expect, test } from "vitest";
import {
  cpuUsPerRequest,
  fastestThird,
  median,
  medianRange,
  quartiles,
  ratioOf,
  scatterPercent,
} from "./arithmetic.ts";
import { parseCase } from "./cases.ts";
import { filterCosts, filterCostTable, filterGroups, roundsForFile } from "./filter-costs.ts";
import { playGroups, roundsByTarget } from "./filter-rounds.ts";
import { parseTimes } from "./handshakes.ts";
import { parseStat } from "./processes.ts";
import { markdownTable, rowsOf, type Sample, textTable } from "./report.ts";
import { parseDurationUs, parseWrk } from "./wrk.ts";

const REPORT = `Running 1s test @ http://127.0.0.1:20001/s
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.03ms  210.33us  12.64ms   95.98%
    Req/Sec    62.41k     3.58k   67.52k    70.00%
  Latency Distribution
     50%  980.00us
     75%    1.04ms
     90%    1.14ms
     99%    1.71ms
  62071 requests in 1.00s, 14.92MB read
Requests/sec:  62052.40
Transfer/sec:     14.91MB
`;

describe("what filters cost", () => {
  const rounds = (...values: readonly (number | undefined)[]): (Sample | undefined)[] =>
    values.map((cpuUs) =>
      cpuUs === undefined
        ? undefined
        : { cpuUs, requestsPerSecond: 1, p50Us: 1, p99Us: 1, residentBytes: 1, errors: 0 },
    );
  const headgate = {
    headgate: rounds(20, 30, 10),
    "headgate 1 wasm": rounds(21, 33, 12),
    "headgate 5 wasm": rounds(25, undefined, 20),
  };

  test("is told round by round, and only of kinds that ran", () => {
    const groups = { "headgate wasm": headgate };
    expect(filterCosts(groups, 1)).toEqual([
      {
        name: "headgate wasm",
        first: { rounds: [1, 3, 2], processes: [2], fastest: 2 },
        further: { rounds: [1, 2], processes: [1.5], fastest: 2 },
      },
    ]);
    expect(filterCostTable(groups, 1).split("\n").at(-1)).toBe(
      "| headgate wasm | 2.00 (1.00 to 3.00; 2.00 to 3.00) | 2.00 | 2.00" +
        " | 1.50 (1.00 to 2.00; 1.00 to 2.00) | 1.50 | 2.00 |",
    );
  });
  test("is told of each process, and of its fastest rounds", () => {
    // Three processes each, in turns. The second and third time others wanted the machine, too.
    const groups = {
      "headgate wasm": {
        headgate: rounds(10, 11, 12, 40, 11, 50, 30, 60, undefined),
        "headgate 1 wasm": rounds(11, 14, 14, 12, 90, 60, 80, 15, 20),
      },
    };
    const [cost] = filterCosts(groups, 3);
    // Of the second process 79 and -45 are noise of one side.
    expect(cost?.first.processes).toEqual([1, 3, 6]);
    // 11, 14, 14 less 10, 11, 12.
    expect(cost?.first.fastest).toBe(3);
    expect(cost?.further).toBeNull();
  });
  test("leaves out rounds without a processor, and other threads of the fastest", () => {
    const play = (cpuUs: number, requestsPerSecond: number): Sample => ({
      ...(rounds(cpuUs)[0] as Sample),
      busiestUs: cpuUs - 5,
      requestsPerSecond,
    });
    const groups = {
      "headgate wasm": {
        headgate: [play(15, 50), play(15, 50), play(400, 20), play(15, 50)],
        "headgate 1 wasm": [play(17, 40), play(300, 2), play(16, 44), play(17, 40)],
      },
    };
    const [cost] = filterCosts(groups, 1);
    expect(cost?.first).toEqual({ rounds: [2, 2], processes: [2], fastest: 1 });
  });
  test("a file has the rounds of a target in each of its groups", () => {
    const groups = {
      a: { headgate: rounds(1.23456, undefined) },
      b: { headgate: rounds(2) },
    };
    expect(roundsForFile(groups)).toEqual({
      a: { headgate: [1.235, null] },
      b: { headgate: [2] },
    });
  });
  test("groups have what runs, and a base", () => {
    const running = new Set([...Object.keys(headgate), "headgate (again)", "envoy 1 wasm"]);
    expect(filterGroups(running)).toEqual([
      { name: "headgate wasm", targets: Object.keys(headgate) },
      { name: "headgate (again)", targets: ["headgate", "headgate (again)"] },
    ]);
  });
  test("targets of a group run side by side and mirrored, and their plays are one round", async () => {
    const played: string[] = [];
    let us = 0;
    const group = { name: "g", targets: ["a", "b", "c"] };
    const found = await playGroups([group], 2, (target) => {
      played.push(target);
      us += 1;
      return Promise.resolve(us === 12 ? undefined : rounds(us)[0]);
    });
    for (const at of [0, 6]) {
      const round = played.slice(at, at + 6);
      expect(round.slice(0, 3).toSorted()).toEqual(group.targets);
      expect(round.slice(3)).toEqual(round.slice(0, 3).toReversed());
    }
    // 1 and 6, 2 and 5, 3 and 4; in the second round the last play failed, and so its first one.
    const us1 = Object.values(found["g"] ?? {}).map(([first]) => first?.cpuUs);
    expect(us1).toEqual([3.5, 3.5, 3.5]);
    expect(found["g"]?.[played[6] as string]?.[1]).toBeUndefined();
    expect(roundsByTarget(found)).toEqual(found["g"]);
  });
  test("the middle of many is known better than one of them", () => {
    const values = Array.from({ length: 25 }, (_, at) => at);
    expect(medianRange(values)).toEqual([7, 17]);
    expect(quartiles(values)).toEqual([6, 18]);
  });
  test("has one column where no target has five filters", () => {
    const { headgate: none, "headgate 1 wasm": one } = headgate;
    const groups = { "headgate wasm": { headgate: none, "headgate 1 wasm": one } };
    expect(filterCostTable(groups, 3).split("\n")).toEqual([
      "| filters | first, us (95 % sure; quartiles) | by process | thread, fastest third |",
      "| --- | ---: | ---: | ---: |",
      "| headgate wasm | 2.00 (1.00 to 3.00; 2.00 to 3.00) | 1.00, 3.00, 2.00 | 1.00 |",
    ]);
  });
  test("quartiles are values of the list", () => {
    expect(quartiles([5, 1, 3, 2, 4])).toEqual([2, 4]);
    expect(quartiles([7])).toEqual([7, 7]);
  });
});

describe("median", () => {
  test("is the middle of an odd list, whatever its order", () => {
    expect(median([9, 1, 5])).toBe(5);
  });
  test("is the mean of the two middles of an even list", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
  test("is the value of a list of one", () => {
    expect(median([7])).toBe(7);
  });
  test("sorts numbers, not their texts", () => {
    expect(median([100, 9, 20])).toBe(20);
  });
  test("of nothing is no number", () => {
    expect(median([])).toBeNaN();
  });
});

test("the fastest third is at least one", () => {
  expect(fastestThird([9, 1, 5, 3])).toBe(2);
  expect(fastestThird([7])).toBe(7);
  expect(fastestThird([])).toBeNaN();
});

test("scatter is half the span in percent of the median", () => {
  expect(scatterPercent([9, 10, 11])).toBeCloseTo(10);
  expect(scatterPercent([10])).toBe(0);
});

describe("ratioOf", () => {
  test("is the median of the ratios round by round", () => {
    // A slow second half of the run must not change the ratio.
    expect(ratioOf([10, 20, 40], [5, 10, 20])).toBe(2);
    expect(ratioOf([1, 3, 9], [1, 1, 1])).toBe(3);
  });
  test("leaves out rounds that one side lacks", () => {
    expect(ratioOf([10, undefined, 30], [5, 10, undefined])).toBe(2);
  });
  test("is undefined without a common round, or without the base", () => {
    expect(ratioOf([1], [undefined])).toBeUndefined();
    expect(ratioOf([1], [])).toBeUndefined();
  });
});

test("CPU per request is nanoseconds over requests, in microseconds", () => {
  expect(cpuUsPerRequest(9e8, 60_000)).toBeCloseTo(15);
  expect(cpuUsPerRequest(9e8, 0)).toBeUndefined();
});

describe("parseDurationUs", () => {
  test.each([
    ["980.00us", 980],
    ["1.71ms", 1710],
    ["2.00s", 2_000_000],
    ["1.50m", 90_000_000],
    ["1.00h", 3_600_000_000],
    ["0.00us", 0],
  ])("%s is %d us", (text, us) => {
    expect(parseDurationUs(text)).toBeCloseTo(us);
  });
  test.each(["", "12", "ms", "1.2 ms", "-1ms"])("refuses %o", (text) => {
    expect(() => parseDurationUs(text)).toThrow("not a duration");
  });
});

describe("parseWrk", () => {
  test("reads requests, rate and latencies", () => {
    expect(parseWrk(REPORT)).toEqual({
      requests: 62071,
      seconds: 1,
      requestsPerSecond: 62052.4,
      p50Us: 980,
      p99Us: 1710,
      errors: 0,
    });
  });
  test("adds up all kinds of errors", () => {
    const bad = REPORT.replace(
      "Requests/sec",
      "  Socket errors: connect 1, read 2, write 3, timeout 4\n" +
        "  Non-2xx or 3xx responses: 5\nRequests/sec",
    );
    expect(parseWrk(bad).errors).toBe(15);
  });
  test("refuses what is no report", () => {
    expect(() => parseWrk("unable to connect to 127.0.0.1:1 Connection refused")).toThrow(
      "no report",
    );
  });
});

test("parseStat reads past a name with blanks and brackets", () => {
  const text = `42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 11 22 33 44 20 0 5 0 99 123456 250 1`;
  expect(parseStat(text)).toEqual({ parent: 7, ticks: 110, residentBytes: 250 * 4096 });
});

function sample(cpuUs: number, errors = 0): Sample {
  return { cpuUs, requestsPerSecond: 1, p50Us: 2, p99Us: 3, residentBytes: 2 ** 20, errors };
}

describe("rowsOf", () => {
  const rows = rowsOf({
    floor: [sample(10), sample(12)],
    headgate: [sample(15), undefined],
    nginx: [sample(20), sample(20)],
    broken: [undefined, undefined],
  });
  test("gives medians and ratios, and leaves out what never answered", () => {
    expect(rows.map((row) => row.target)).toEqual(["floor", "headgate", "nginx"]);
    expect(rows[1]).toMatchObject({ rounds: 1, cpuUs: 15, toFloor: 1.5, toNginx: 0.75 });
    expect(rows[1]?.toEnvoy).toBeUndefined();
  });
  test("makes tables of equal columns", () => {
    const lines = textTable(rows).split("\n");
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    const cells = markdownTable(rows)
      .split("\n")
      .map((line) => line.split("|").length);
    expect(new Set(cells).size).toBe(1);
    expect(markdownTable(rows)).toContain("| headgate | 15.0 | 0 | 1.50 | 0.75 | - |");
  });
  test("adds up errors", () => {
    expect(rowsOf({ floor: [sample(1, 2), sample(1, 3)] })[0]?.errors).toBe(5);
  });
});

describe("parseCase", () => {
  test("reads protocol, size and connections", () => {
    const requests = { kind: "requests", connections: 64 };
    expect(parseCase("s64")).toEqual({ ...requests, id: "s64", protocol: "http", size: "s" });
    expect(parseCase("tb64")).toEqual({ ...requests, id: "tb64", protocol: "tls", size: "b" });
    expect(parseCase("pg64")).toEqual({ ...requests, id: "pg64", protocol: "tcp", size: "g" });
  });
  test("reads handshakes", () => {
    const handshakes = { kind: "handshakes", protocol: "tls" };
    expect(parseCase("hrsa")).toEqual({ ...handshakes, id: "hrsa", key: "rsa", isResumed: false });
    const resumed = { ...handshakes, id: "hec-resumed", key: "ec", isResumed: true };
    expect(parseCase("hec-resumed")).toEqual(resumed);
  });
  test.each(["", "s", "s0", "x64", "hs64", "hrsa-", "s64 "])("refuses %j", (id) => {
    expect(parseCase(id)).toBeUndefined();
  });
});

describe("parseTimes", () => {
  test("takes what was timed, not what made the session", () => {
    const output =
      "1 connections in 0.01s; 100.00 connections/user sec, bytes read 0\n" +
      "1 connections in 1 real seconds, 0 bytes read per connection\n" +
      "900 connections in 0.30s; 3000.00 connections/user sec, bytes read 0\n" +
      "900 connections in 2 real seconds, 0 bytes read per connection\n";
    expect(parseTimes(output)).toEqual({ handshakes: 900, perSecond: 450 });
  });
  test("throws without a report", () => {
    expect(() => parseTimes("connect: refused")).toThrow("no report");
  });
});
