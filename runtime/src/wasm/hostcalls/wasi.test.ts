// Every function of WASI under both of its module names: answers, out parameters, bad pointers,
// restriction, and what happens before the guest is initialised or when it ends itself.
import { limits, wasiFunctions, wasiModuleNames } from "proxy-wasm-types";
import { describe, expect, test } from "vitest";
import { createFilterHost, type FilterHostOptions } from "../../../test/harness.ts";
import { constant, guestBuilder, op } from "../../module/wasm-builder-for-test.ts";
import {
  environment,
  hello,
  lineFeed,
  memoryData,
  nothing,
  splitCharacter,
  twoLineFeeds,
  twoPieces,
  wasiCases,
} from "./wasi-cases-for-test.ts";
import {
  NO_RESULT,
  OUT,
  OUT_BYTES,
  wasiAnswers,
  type WasiCall,
  wasiGuest,
  type WasiGuestOptions,
} from "./wasi-guest-for-test.ts";

/** Errno and bytes of each call, and what the guest and the host logged. */
async function play(guest: WasiGuestOptions, options: Partial<FilterHostOptions> = {}) {
  const module = wasiGuest({ data: memoryData, ...guest });
  const host = await createFilterHost({ environment, ...options, module });
  const isStreamed = guest.callback === "proxy_on_request_headers";
  const reply = isStreamed ? host.request().localReply : null;
  const { logs } = host;
  host.close();
  const messages = logs.filter((line) => line.isGuests).map((line) => line.message);
  return {
    reply,
    answers: wasiAnswers(messages).map(({ errno, out }) => [errno, withoutRest(out)]),
    written: logs.filter((line) => line.isGuests && !line.message.startsWith("answer ")),
    hostLines: logs.filter((line) => !line.isGuests),
  };
}

/** As in the tables: without the untouched bytes at the end. */
function withoutRest(out: Buffer): string {
  return out.toString("hex").replace(/(ee)+$/, "");
}

const callsOf = (name: string): WasiCall[] =>
  (wasiCases[name] ?? []).map(({ args }) => ({ name, args }));

/** One call of each function but proc_exit. */
const oneOfEach: readonly WasiCall[] = wasiFunctions
  .filter(({ name }) => name !== "proc_exit")
  .flatMap(({ name }) => callsOf(name).slice(0, 1));

test("each function of the table has a case", () => {
  const names = wasiFunctions.map((row) => row.name).toSorted();
  expect(Object.keys(wasiCases).toSorted()).toEqual(names);
  expect(names.filter((name) => callsOf(name).length === 0)).toEqual([]);
  expect(oneOfEach.length).toBe(44);
});

describe.each(wasiModuleNames)("%s", (importModule) => {
  const names = Object.keys(wasiCases).filter((name) => name !== "proc_exit");
  test.each(names)("%s", async (name) => {
    const rows = wasiCases[name] ?? [];
    const { answers } = await play({ importModule, calls: callsOf(name) });
    const told = answers.map((answer, i) => [rows[i]?.args, ...answer]);
    expect(told).toEqual(rows.map(({ args, errno, out = "" }) => [args, errno, out]));
  });

  test("fd_write logs descriptor 1 at info and 2 at error, without one line feed", async () => {
    const rows: readonly (readonly [number, number, number])[] = [
      [1, hello, 1],
      [2, hello, 1],
      [1, twoPieces, 2],
      [1, lineFeed, 1],
      [1, twoLineFeeds, 1],
      [2, splitCharacter, 2],
    ];
    const calls = rows.map(([fd, at, count]) => ({ name: "fd_write", args: [fd, at, count, OUT] }));
    const { written } = await play({ importModule, calls });
    expect(written.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info hello",
      "error hello",
      "info hello world",
      "info ",
      "info d\n",
      "error \u00e9",
    ]);
  });

  test("restricted functions answer 76 and touch nothing, proc_exit does nothing", async () => {
    const calls = [...oneOfEach, ...callsOf("proc_exit")];
    const allowedCapabilities = ["proxy_on_configure", "proxy_log"];
    const { answers, hostLines } = await play({ importModule, calls }, { allowedCapabilities });
    const expected = calls.map(({ name }) => [name, name === "proc_exit" ? NO_RESULT : 76, ""]);
    expect(answers.map((answer, i) => [calls[i]?.name, ...answer])).toEqual(expected);
    expect(hostLines.map((line) => line.message)).toEqual(
      calls.map(({ name }) => `wasm guest called ${name}, which its configuration restricts`),
    );
  });

  test("functions are allowed one by one", async () => {
    const allowedCapabilities = ["proxy_on_configure", "proxy_log", "sched_yield", "fd_tell"];
    const { answers } = await play({ importModule, calls: oneOfEach }, { allowedCapabilities });
    const able = oneOfEach.filter((_, i) => answers[i]?.[0] !== 76).map((call) => call.name);
    expect(able.toSorted()).toEqual(["fd_tell", "sched_yield"]);
  });
});

test("a failed fd_write logs nothing, one whose result has no place has been logged", async () => {
  const rows = wasiCases["fd_write"] ?? [];
  const { answers, written } = await play({ calls: callsOf("fd_write") });
  const logged = rows.filter(({ args, errno, out = "" }) => {
    if (errno === 21) return args[1] === hello && args[2] === 1;
    return errno === 0 && out !== "00000000";
  });
  expect(answers.length).toBe(rows.length);
  expect(written.length).toBe(logged.length);
});

test("fd_write of nothing logs nothing", async () => {
  const args = [1, nothing, 1, OUT];
  expect((await play({ calls: [{ name: "fd_write", args }] })).written).toEqual([]);
});

test("a write that is longer than a line of the log may be is cut, and counts whole", async () => {
  const { logMessageBytesMax } = limits;
  const data: WasiGuestOptions["data"] = [
    [131_072, Buffer.from("x".repeat(60_000))],
    [2048, vectorBytes([131_072, logMessageBytesMax])],
    [2064, vectorBytes([131_072, 60_000], [131_072, 60_000], [131_072, 1])],
    [2096, vectorBytes([65_536, logMessageBytesMax + 1])],
  ];
  const calls = [
    [2048, 1],
    [2064, 3],
    [2096, 1],
  ].map(([at, count]) => ({ name: "fd_write", args: [1, at as number, count as number, OUT] }));
  const { answers, written } = await play({ calls, data });
  expect(answers).toEqual([
    [0, "00000100"],
    [0, "c1d40100"],
    [0, "01000100"],
  ]);
  expect(written.map((line) => line.message.length)).toEqual(
    Array.from({ length: 3 }, () => logMessageBytesMax),
  );
});

test("random_get fills all of its range and nothing beside it", async () => {
  const sizes = [1, 2, 3, 4, 5, 7, 8, OUT_BYTES - 1];
  const calls = sizes.map((size) => ({ name: "random_get", args: [OUT, size] }));
  const { answers } = await play({ calls });
  expect(answers.map(([errno]) => errno)).toEqual(sizes.map(() => 0));
  // That a last byte is 0xee by chance is left out by the seed.
  expect(answers.map(([, out]) => String(out).length / 2)).toEqual(sizes);
  const bytes = new Set(String(answers.at(-1)?.[1]).match(/../g));
  expect(bytes.size).toBeGreaterThan(40);
});

test("fd_seek and fd_close are told to the operator", async () => {
  const calls = [...callsOf("fd_seek").slice(0, 1), ...callsOf("fd_close").slice(0, 1)];
  const { hostLines } = await play({ calls });
  expect(hostLines).toEqual(
    ["fd_seek", "fd_close"].map((name) => ({
      level: "error",
      message: `wasm guest called wasi ${name}, which does nothing`,
      isGuests: false,
    })),
  );
});

/** What Go's runtime does before main; Envoy's answers to the same module. */
const goStart: readonly (readonly [string, readonly number[], number, string | null])[] = [
  ["clock_time_get", [0, 0, OUT], 0, null],
  ["clock_time_get", [1, 0, OUT], 0, null],
  ["random_get", [OUT, 32], 0, null],
  ["args_sizes_get", [OUT, OUT + 4], 0, "0000000000000000"],
  ["environ_sizes_get", [OUT, OUT + 4], 0, "020000000b000000"],
  ["fd_fdstat_get", [0, OUT], 8, ""],
  ["fd_fdstat_set_flags", [0, 4], 52, ""],
  ["fd_fdstat_get", [1, OUT], 0, "000000000000000040000000000000000000000000000000"],
  ["fd_fdstat_set_flags", [1, 4], 52, ""],
  ["fd_fdstat_get", [2, OUT], 0, "000000000000000040000000000000000000000000000000"],
  ["fd_fdstat_set_flags", [2, 4], 52, ""],
  ["fd_prestat_get", [3, OUT], 8, ""],
  ["poll_oneoff", [OUT, OUT, 1, OUT], 0, "00000000"],
  ["fd_write", [1, hello, 1, OUT], 0, "05000000"],
  ["fd_write", [2, hello, 1, OUT], 0, "05000000"],
];

test("a start like that of Go's runtime, in _initialize, answers as Envoy", async () => {
  const calls = goStart.map(([name, args]) => ({ name, args }));
  const { answers, written } = await play({ calls, callback: "_initialize" });
  const told = answers.map(([errno, out], i) => [errno, goStart[i]?.[3] === null ? null : out]);
  expect(told).toEqual(goStart.map(([, , errno, out]) => [errno, out]));
  expect(written.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "info hello",
    "error hello",
  ]);
});

// Envoy refuses fd_close, fd_read, fd_seek, path_open and sched_yield there, by which a module that
// works with it never fails here; Go's runtime calls sched_yield when it likes.
test("in _initialize all functions but proc_exit answer as elsewhere", async () => {
  const elsewhere = await play({ calls: oneOfEach });
  const there = await play({ calls: oneOfEach, callback: "_initialize" });
  expect(there.answers.length).toBe(44);
  expect(there.answers).toEqual(elsewhere.answers);
});

test("poll_oneoff and sched_yield come back at once in the callbacks of a stream", async () => {
  const calls = [...callsOf("poll_oneoff").slice(0, 2), ...callsOf("sched_yield")];
  const { answers, reply } = await play({ calls, callback: "proxy_on_request_headers" });
  expect(answers).toEqual([
    [0, "00000000"],
    [0, "00000000"],
    [0, ""],
  ]);
  expect(reply).toBeNull();
});

test("proc_exit in _initialize refuses the module, as in Envoy, for every code", async () => {
  for (const call of callsOf("proc_exit")) {
    const code = (call.args[0] as number) >>> 0;
    const refused = play({ calls: [call], callback: "_initialize" });
    await expect(refused).rejects.toThrow(`proc_exit with code ${code}`);
  }
});

test("a catch_all around proc_exit in _initialize catches nothing", async () => {
  const [tryBlock, catchAll, noValue] = [0x06, 0x19, 0x40];
  const builder = guestBuilder((made) => {
    made.importFunction("wasi_snapshot_preview1", "proc_exit", ["i32"], []);
  });
  const exit = [...constant(7), op.call, 0];
  const code = [tryBlock, noValue, ...exit, catchAll, op.end];
  builder.func({ exportAs: "_initialize", code });
  const refused = createFilterHost({ module: builder.build() });
  await expect(refused).rejects.toThrow("proc_exit with code 7");
});

test("proc_exit in on_configure refuses the plugin", async () => {
  const refused = play({ calls: [{ name: "proc_exit", args: [2] }] });
  await expect(refused).rejects.toThrow("proc_exit with code 2");
});

// Envoy logs and goes back to the guest, which most compilers let run into `unreachable`.
test("proc_exit in a stream's callback ends the guest there, and the stream fails", async () => {
  for (const importModule of wasiModuleNames) {
    const calls = [...callsOf("proc_exit").slice(0, 1), ...callsOf("fd_write").slice(0, 1)];
    const callback = "proxy_on_request_headers";
    const { answers, hostLines, reply, written } = await play({ importModule, calls, callback });
    expect(reply?.details).toBe("wasm_fail_stream");
    expect([answers, written]).toEqual([[], []]);
    expect(hostLines[0]?.message).toBe("wasm guest called wasi proc_exit with code 0");
    const [reason, ...frames] = hostLines[1]?.message.split("\n") ?? [];
    expect(reason).toBe(
      "wasm vm failed: proc_exit with code 0 [exit] in proxy_on_request_headers of plugin filter, " +
        "used 201 of 50000000 fuel, 3 pages, module inline",
    );
    // The guest's frames only: neither the host's nor those of its helper that makes the trap.
    expect(frames.length).toBe(1);
    expect(frames[0]).toMatch(
      /^ {2}at (proxy_on_request_headers|\?) \(function \d+, 0x[0-9a-f]+\)$/,
    );
  }
});

function vectorBytes(...pieces: readonly (readonly [number, number])[]): Buffer {
  return Buffer.from(new Uint32Array(pieces.flat()).buffer);
}
