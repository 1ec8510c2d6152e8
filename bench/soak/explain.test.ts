// The judge of the soak run must be able to find fault.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Exchange, Outcome } from "./connection.ts";
import { explain } from "./explain.ts";
import type { Death, Explanation } from "./explain.ts";
import type { Kind } from "./load.ts";
import { Stalls } from "./stalls.ts";
import { slopePerHour } from "./samples.ts";
import type { Sample } from "./samples.ts";

const DEATH_MS = 100_000;
const DEATH = { atMs: DEATH_MS, stuckAtMs: DEATH_MS - 5000 };

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-explain-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Case {
  readonly kind: Kind;
  readonly outcome?: Outcome;
  readonly status?: number;
  readonly sentAtMs?: number;
  readonly endedAtMs?: number;
  /** Answers on its connection before it. */
  readonly before?: number;
  /** After the id; absent = it was not logged. */
  readonly line?: string;
}

function judge(
  cases: readonly Case[],
  deaths: readonly Death[] = [],
  drainEnds: readonly number[] = [],
  seenSince?: (atMs: number) => number,
): Promise<Explanation> {
  const lines = cases.flatMap(({ line }, id) => (line === undefined ? [] : [`${id}|${line}`]));
  const log = join(folder, "access.log");
  writeFileSync(log, `${lines.join("\n")}\n`);
  const exchanges = cases.map((one, id) => exchange(id, one));
  const seen = {
    kinds: cases.map(({ kind }) => kind),
    endedAtMs: cases.map(({ endedAtMs }) => endedAtMs ?? 0),
    failures: exchanges.filter((_, id) => cases[id]?.kind === "failed"),
    started: cases.length,
  };
  const moments = { deaths, drainEnds };
  return explain(seen, seenSince === undefined ? moments : { ...moments, seenSince }, log);
}

function exchange(id: number, { outcome, status, sentAtMs, endedAtMs, before }: Case): Exchange {
  const none = Buffer.alloc(0);
  return {
    id,
    head: "",
    body: null,
    chunkBytes: 0,
    expected: none,
    describedAs: "GET /",
    sentAtMs: sentAtMs ?? 0,
    endedAtMs: endedAtMs ?? 0,
    status: status ?? 0,
    outcome: outcome ?? "ok",
    words: "",
    before: before ?? 0,
  };
}

test("a failure is explained by its flag, or by a worker that died then", async () => {
  const said = await judge(
    [
      { kind: "ok", line: "200|-|via_upstream" },
      { kind: "failed", outcome: "status", status: 503, line: "503|UF|remote" },
      { kind: "failed", outcome: "cut", status: 200, line: "200|UC|reset" },
      { kind: "failed", outcome: "status", status: 503, line: "503|-|wasm_fail_stream" },
      { kind: "failed", outcome: "no answer", endedAtMs: DEATH_MS + 5 },
      { kind: "ok", endedAtMs: DEATH_MS - 6200 },
      { kind: "aborted", line: "0|DC|downstream" },
      { kind: "aborted" },
    ],
    [DEATH],
  );
  expect(said.unexplained).toEqual([]);
  expect(Object.fromEntries(said.causes)).toEqual({
    "status 503: UF": 1,
    "cut 200: UC": 1,
    "status 503: wasm_fail_stream": 1,
    "no answer -: worker died": 1,
  });
  expect([said.lines, said.linesLost, said.abortedWithoutLine]).toEqual([5, 1, 1]);
});

test.each<[string, Case]>([
  ["no line", { kind: "failed", outcome: "no answer", endedAtMs: DEATH_MS + 60_000 }],
  ["no flag", { kind: "failed", outcome: "cut", status: 200, line: "200|-|via_upstream" }],
  ["the client's fault", { kind: "failed", outcome: "cut", status: 200, line: "200|DC|gone" }],
  ["another code", { kind: "failed", outcome: "status", status: 502, line: "503|UF|remote" }],
  ["wrong bytes", { kind: "failed", outcome: "corrupt", status: 200, line: "200|UC|reset" }],
  ["silence", { kind: "failed", outcome: "timeout", endedAtMs: DEATH_MS }],
  ["a whole answer that is logged as cut", { kind: "ok", line: "200|UC|reset" }],
  ["an answer that is not logged", { kind: "ok", endedAtMs: DEATH_MS - 60_000 }],
  ["one just before what may be lost", { kind: "ok", endedAtMs: DEATH_MS - 7001 }],
])("is no explanation: %s", async (_, one) => {
  const said = await judge([one], [DEATH]);
  expect(said.unexplained.length).toBe(1);
});

test("a line that comes twice, or of nobody, is reported", async () => {
  const line = "200|-|via_upstream\n0|200|-|via_upstream\n9|200|-|via_upstream";
  const said = await judge([{ kind: "ok", line }]);
  expect(said.unexplained.map((words) => words.split(":")[0])).toEqual([
    "logged twice",
    "a line of nobody",
  ]);
});

test("the slope is that of the line through the samples", () => {
  const samples = [0, 10, 20, 30].map((atS) => ({ atS, rssMib: 100 + atS / 36 }) as Sample);
  expect(slopePerHour(samples, (one) => one.rssMib)).toBeCloseTo(100, 6);
});

test("what the end of a drain time closes is explained, at that time only", async () => {
  const line = "0|DC|downstream_local_disconnect";
  const failed = { kind: "failed", outcome: "no answer", line } as const;
  const cases = [
    { ...failed, endedAtMs: DEATH_MS + 200 },
    { ...failed, endedAtMs: DEATH_MS + 5000 },
  ];
  const { causes, unexplained } = await judge(cases, [], [DEATH_MS]);
  expect([...causes]).toEqual([["no answer -: drain time over", 1]]);
  expect(unexplained).toHaveLength(1);
});

test("a request that crosses the end of a drain time on a kept connection is explained", async () => {
  const failed = { kind: "failed", outcome: "no answer", endedAtMs: DEATH_MS + 300 } as const;
  const cases = [
    { kind: "ok", line: "200|-|via_upstream" } as const,
    { ...failed, before: 3, sentAtMs: DEATH_MS - 100 },
    { ...failed, before: 0, sentAtMs: DEATH_MS - 100 },
    { ...failed, before: 3, sentAtMs: DEATH_MS - 100, endedAtMs: DEATH_MS + 2000 },
  ];
  const { causes, unexplained } = await judge(cases, [], [DEATH_MS]);
  expect([...causes]).toEqual([["no answer -: crossed a drain's end", 1]]);
  expect(unexplained).toHaveLength(2);
});

test("what a script saw that had stood still is as old as that", async () => {
  const stalls = new Stalls();
  stalls.stop();
  stalls.noteTick(DEATH_MS - 500);
  const failed = { kind: "failed", outcome: "no answer" } as const;
  const line = { kind: "ok", line: "200|-|via_upstream" } as const;
  const cases = [line, { ...failed, endedAtMs: DEATH_MS + 5500 }];
  const judged = (): Promise<Explanation> =>
    judge(cases, [DEATH], [], (atMs) => stalls.seenSince(atMs));
  stalls.noteTick(DEATH_MS - 400);
  expect((await judged()).unexplained).toHaveLength(1);
  stalls.noteTick(DEATH_MS + 3000);
  stalls.noteTick(DEATH_MS + 5000);
  expect((await judged()).unexplained).toEqual([]);
  expect(stalls.seenSince(DEATH_MS + 6000)).toBe(DEATH_MS + 6000);
});
