// The WASI functions that Envoy and a full implementation answer alike: one guest on our host and
// on @wasmer/wasi, compared call by call. What differs is listed, each with its reason.
import { init, WASI } from "@wasmer/wasi";
import { createFilterHost } from "@headgate/runtime/testing";
import { wasiFunctions } from "proxy-wasm-types";
import { beforeAll, describe, expect, test } from "vitest";
import {
  emptyBeyond,
  environment,
  hello,
  memoryData,
  nothing,
  splitCharacter,
  twoPieces,
  type WasiCase,
  wasiCases,
} from "../runtime/src/wasm/hostcalls/wasi-cases-for-test.ts";
import {
  OUT,
  type WasiAnswer,
  wasiAnswers,
  type WasiCall,
  wasiGuest,
} from "../runtime/src/wasm/hostcalls/wasi-guest-for-test.ts";

/** Rows that the oracle answers otherwise; a row that `is` here and answers alike is a mistake. */
interface Difference {
  readonly is: (row: WasiCase) => boolean;
  readonly why: string;
}

const otherClocks: Difference = {
  is: ({ errno }) => errno === 58,
  why: "Envoy has clocks 0 and 1; the oracle has those of processes, and panics beyond them",
};
const otherDescriptors: Difference = {
  is: ({ args, errno }) => errno === 8 && args[0] !== -1,
  why: "Envoy has 1 and 2; the oracle has 0 and a root folder, too, with errnos of their own",
};
const programName = "the oracle has one argument, an empty name of the program; Envoy has none";

const compared: Readonly<Record<string, readonly Difference[]>> = {
  args_get: [{ is: () => true, why: programName }],
  args_sizes_get: [{ is: ({ args }) => args[1] === OUT + 4, why: programName }],
  environ_get: [
    {
      is: ({ args, errno }) => errno === 21 && args[0] === OUT,
      why: "ours writes all or nothing, the oracle pointers before it finds no room for texts",
    },
  ],
  environ_sizes_get: [],
  clock_res_get: [
    otherClocks,
    {
      is: ({ args, out }) => args[0] === 1 && out !== undefined,
      why: "the oracle's monotonic clock has steps of 10 ms; Envoy tells 1 ns for both",
    },
  ],
  clock_time_get: [otherClocks],
  fd_pwrite: [otherDescriptors],
  fd_write: [
    otherDescriptors,
    { is: ({ errno }) => errno === 28, why: "ours takes at most 1024 vectors, as Linux does" },
    {
      is: ({ args }) => args[1] === emptyBeyond,
      why: "Envoy does not ask where a range of no bytes begins",
    },
  ],
  random_get: [
    {
      is: ({ args }) => args[0] === -1 && args[1] === 0,
      why: "Envoy does not ask where a range of no bytes begins",
    },
    {
      is: ({ errno }) => errno === 28,
      why: "Envoy gives 65536 bytes at most; the oracle only asks whether the range is inside",
    },
  ],
  sched_yield: [],
};

/** Why a function is not compared, by the first letters of its name. */
const notCompared: readonly (readonly [string, string])[] = [
  ["fd_", "the oracle has files in memory; Envoy has none and answers a constant"],
  ["path_", "the same"],
  ["sock_", "Envoy has no sockets, in an errno of its own"],
  ["poll_oneoff", "Envoy has no events and answers at once, for Go; the oracle panics"],
  ["proc_exit", "the oracle throws an object through the guest"],
];

/** The answers of the oracle, each on an instance of its own; null where it panicked. */
function oracleAnswers(calls: readonly WasiCall[]): (WasiAnswer | null)[] {
  return calls.map((call) => {
    try {
      return runOracle([call]).answers[0] ?? null;
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) return null;
      throw error;
    }
  });
}

/** Imports from the oracle, an instance of our own, then bound: the only order that works. */
function runOracle(calls: readonly WasiCall[]) {
  const wasi = new WASI({ args: [], env: environment });
  const module = new WebAssembly.Module(wasiGuest({ calls, data: memoryData }));
  const messages: string[] = [];
  const proxyLog = (_level: number, pointer: number, size: number): number => {
    const memory = instance.exports["memory"] as WebAssembly.Memory;
    messages.push(Buffer.from(memory.buffer, pointer, size).toString("latin1"));
    return 0;
  };
  const imports = wasi.getImports(module) as Record<string, Record<string, unknown>>;
  const env = { proxy_log: proxyLog };
  const instance = new WebAssembly.Instance(module, { ...imports, env });
  wasi.instantiate(instance);
  (instance.exports["proxy_on_configure"] as (context: number, size: number) => number)(1, 0);
  const stdout = wasi.getStdoutString();
  const stderr = wasi.getStderrString();
  wasi.free();
  return { answers: wasiAnswers(messages), stdout, stderr };
}

async function runOurs(calls: readonly WasiCall[]) {
  const module = wasiGuest({ calls, data: memoryData });
  const host = await createFilterHost({ module, environment });
  host.close();
  const lines = host.logs.filter((line) => line.isGuests);
  const answers = wasiAnswers(lines.map((line) => line.message));
  return { answers, written: lines.filter((line) => !line.message.startsWith("answer ")) };
}

/** Times and random bytes are compared by their length only. */
function textOf(name: string, answer: WasiAnswer | null | undefined): string {
  if (answer === null || answer === undefined) return "panic";
  const out = answer.out.toString("hex").replace(/(ee)+$/, "");
  const isKnown = name !== "clock_time_get" && name !== "random_get";
  return `${answer.errno} ${isKnown ? out : out.length / 2}`;
}

/** Nanoseconds that a clock told. */
const timeOf = (answer: WasiAnswer | null | undefined): number =>
  Number(answer?.out.readBigUInt64LE(0));

beforeAll(async () => {
  await init();
});

test("each function is compared, or left out for a reason", () => {
  const silent = wasiFunctions.filter(
    ({ name }) =>
      compared[name] === undefined && !notCompared.some(([start]) => name.startsWith(start)),
  );
  expect(silent).toEqual([]);
});

describe.each(Object.entries(compared))("%s", (name, differences) => {
  const rows = wasiCases[name] ?? [];
  const calls = rows.map(({ args }) => ({ name, args }));

  test("answers as the oracle, but for what is listed", async () => {
    const oracle = oracleAnswers(calls);
    const { answers } = await runOurs(calls);
    const unlike = rows.filter((_, i) => textOf(name, answers[i]) !== textOf(name, oracle[i]));
    const listed = rows.filter((row) => differences.some(({ is }) => is(row)));
    expect(answers.length).toBe(rows.length);
    expect(unlike).toEqual(listed);
  });

  test("has no idle line in its list", () => {
    expect(differences.filter(({ is }) => !rows.some(is))).toEqual([]);
  });
});

test("what is written to 1 and 2 is the same text, ours in lines", async () => {
  const calls = [
    [1, twoPieces, 2],
    [2, twoPieces, 2],
    [1, splitCharacter, 2],
    [2, hello, 1],
    [1, nothing, 1],
  ].map((args) => ({ name: "fd_write", args: [...args, OUT] }));
  const oracle = runOracle(calls);
  const { answers, written } = await runOurs(calls);
  const of = (level: string): string[] =>
    written.filter((line) => line.level === level).map((line) => line.message);
  expect(oracle.stdout).toBe("hello world\n\u00e9");
  expect(of("info").join("\n")).toBe(oracle.stdout);
  expect(oracle.stderr).toBe("hello world\nhello");
  expect(of("error").join("\n")).toBe(oracle.stderr);
  expect(answers).toEqual(oracle.answers);
});

test("both tell times in nanoseconds", async () => {
  const calls = [0, 1, 1].map((id) => ({ name: "clock_time_get", args: [id, 0, OUT] }));
  const before = Date.now();
  const oracle = runOracle(calls).answers;
  const { answers } = await runOurs(calls);
  expect(timeOf(oracle[0]) / 1e6).toBeGreaterThan(before - 60_000);
  expect(timeOf(oracle[0]) / 1e6).toBeLessThan(before + 60_000);
  // The harness's clock stands at this time.
  expect(timeOf(answers[0]) / 1e6).toBe(Date.UTC(2026, 0, 1, 0, 0, 1));
  expect(timeOf(answers[1])).toBe(1e9);
  for (const list of [answers, oracle]) {
    expect(timeOf(list[2])).toBeGreaterThanOrEqual(timeOf(list[1]));
  }
});

test("both give random bytes", async () => {
  const calls = [0, 1].map(() => ({ name: "random_get", args: [OUT, 32] }));
  for (const { answers } of [runOracle(calls), await runOurs(calls)]) {
    const [first, second] = answers.map(({ out }) => out.subarray(0, 32).toString("hex"));
    expect(first).not.toBe(second);
    expect(answers.every(({ out }) => new Set(out.subarray(0, 32)).size > 10)).toBe(true);
    expect(answers.every(({ out }) => out.subarray(32).every((byte) => byte === 0xee))).toBe(true);
  }
});
