// Fuzzes the boundary between guests and host, and the loader of modules.
import fc from "fast-check";
import { type Callback, callbacks, existsIn, hostcalls } from "proxy-wasm-types";
import { describe, expect, test } from "vitest";
import { createFilterHost, type FilterHost } from "../../runtime/test/harness.ts";
import { loadModule } from "../../runtime/src/module/module-loader.ts";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";
import { checkLater } from "./settings.ts";

const VERSION = "0.2.1";
const calls = hostcalls.filter((row) => existsIn(row, VERSION));
/** Callbacks of streams and plugins; those that make a guest are not what is asked here. */
const events: readonly Callback[] = callbacks.filter(
  (row) =>
    existsIn(row, VERSION) &&
    row.chapter !== "integration" &&
    row.chapter !== "memory-management" &&
    row.name !== "proxy_on_vm_start",
);

const PAGE = 65_536;
const I64_CONST = 0x42;
/** Where random bytes stand in the guest's memory. */
const NOISE_AT = 1024;

/** Addresses, sizes and numbers at the edges, and some that may work. */
const words: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NOISE_AT, NOISE_AT + 1, NOISE_AT + 64, 4096),
  fc.constantFrom(PAGE - 4, PAGE - 1, PAGE, PAGE + 1, 0x7fff_ffff, -0x8000_0000, -1, -2, -8),
  fc.integer({ min: 0, max: 64 }),
  fc.integer(),
);

interface RandomCall {
  readonly hostcall: number;
  readonly words: readonly number[];
}

const randomCall: fc.Arbitrary<RandomCall> = fc.record({
  hostcall: fc.nat({ max: calls.length - 1 }),
  words: fc.array(words, { minLength: 12, maxLength: 12 }),
});

function codeOf(list: readonly RandomCall[]): number[] {
  return list.flatMap(({ hostcall, words: values }) => {
    const row = calls[hostcall];
    if (row === undefined) return [];
    const args = row.params.flatMap((param, at) => {
      const value = values[at] ?? 0;
      return param.type === "i64" ? [I64_CONST, ...constant(value).slice(1)] : constant(value);
    });
    const drops = row.results.length === 0 ? [] : [op.drop];
    return [...args, op.call, ...unsigned(hostcall), ...drops];
  });
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}

/** A guest that makes these calls in each of these callbacks. */
function guestOf(plan: ReadonlyMap<string, readonly RandomCall[]>, noise: Uint8Array): Uint8Array {
  const builder = new WasmBuilder();
  for (const row of calls) {
    const params = row.params.map((param) => param.type);
    builder.importFunction("env", row.name, params, row.results);
  }
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder
    .memory(0, 1)
    .export("memory", "memory", 0)
    .data(NOISE_AT, [...noise]);
  const room = { params: ["i32"], results: ["i32"], code: constant(8192) };
  builder.func({ ...room, exportAs: "malloc" });
  for (const row of events) {
    const list = plan.get(row.name);
    if (list === undefined) continue;
    const answer =
      row.results.length === 0 ? [] : constant(row.name.endsWith("_configure") ? 1 : 0);
    builder.func({
      params: row.params.map((param) => param.type),
      results: row.results,
      code: [...codeOf(list), ...answer],
      exportAs: row.name,
    });
  }
  return builder.build();
}

/** Everything that can happen to a stream. */
function exercise(host: FilterHost): string {
  const body = { method: "POST", body: ["abc", "def"], trailers: { t: "1" } };
  host.request({ ...body, upstream: { body: "answer", trailers: { u: "1" } } });
  host.request();
  host.tick(50);
  const pages = host.guestMemoryBytes / PAGE;
  host.close();
  return pages <= 2048 ? "served" : `grew to ${pages} pages`;
}

describe("the boundary", () => {
  test("any calls in any callback leave a host that serves the next guest", async () => {
    const plans = fc.uniqueArray(
      fc.tuple(
        fc.constantFrom(...events.map((row) => row.name)),
        fc.array(randomCall, { maxLength: 12 }),
      ),
      { selector: ([name]) => name, minLength: 1, maxLength: 8 },
    );
    await checkLater(
      fc.asyncProperty(plans, fc.uint8Array({ maxLength: 300 }), async (plan, noise) => {
        const before = process.memoryUsage().rss;
        const outcome = await createFilterHost({
          module: guestOf(new Map(plan), noise),
          clusters: { up: { status: 200, body: "x" } },
          logLevel: "critical",
        }).then(exercise, (error: Error) => error.name);
        // Who fails in on_configure is refused, in words.
        expect(["served", "FilterStartError"]).toContain(outcome);
        expect(process.memoryUsage().rss - before).toBeLessThan(512 * 1024 * 1024);
      }),
      400,
      5,
    );
  });
});

describe("the loader", () => {
  test("bytes that are no module, or a damaged one, are errors in words", async () => {
    expect.hasAssertions();
    const good = Buffer.from(guestOf(new Map([["proxy_on_tick", []]]), new Uint8Array(0)));
    const damaged = fc
      .array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 })
      .map((changes) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ maxLength: 400 }).map((tail) => Buffer.concat([good.subarray(0, 8), tail])),
      damaged,
    );
    await checkLater(
      fc.asyncProperty(bytes, async (inlineBytes) => {
        const outcome = await loadModule({ inlineBytes }).then(
          () => "loaded",
          (error: Error) => error.name,
        );
        expect(["loaded", "ModuleError"]).toContain(outcome);
      }),
      1500,
      1,
    );
  });
});
