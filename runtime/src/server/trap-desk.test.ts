// Reports of guests that were stopped: their sources, what is kept of them, and requests that stop
// them again and again.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogRecorder } from "../../test/log-recorder.ts";
import { readFunctionNames } from "../module/function-names.ts";
import type { LoadedModule } from "../module/module-loader.ts";
import { loadModule } from "../module/module-loader.ts";
import { readModule, SectionId } from "../module/wasm-sections.ts";
import { StatsStore } from "../stats/store.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { TrapDesk } from "./trap-desk.ts";
import { trapsPage } from "./trap-page.ts";
import { PUSHED_MAP_BYTES_MAX, PUSHED_MAPS_KEPT } from "./trap-places.ts";

const file: string = fileURLToPath(
  new URL("../../../conformance/guests/wasm/c-trapping-dwarf4.wasm", import.meta.url),
);
const whole = readFileSync(file);
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-traps-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The module without lines and names, as it would be served. */
function stripped(): Buffer {
  const kept = readModule(whole).sections.filter(({ id }) => id !== SectionId.Custom);
  const sections = kept.map(({ start, end }) => whole.subarray(start, end));
  return Buffer.concat([whole.subarray(0, 8), ...sections]);
}

interface Rig {
  readonly desk: TrapDesk;
  readonly log: LogRecorder;
  readonly stats: StatsStore;
}

/** A desk that knows one module. */
async function rigOf(bytes: Uint8Array): Promise<Rig> {
  const module: LoadedModule = await loadModule({ inlineBytes: bytes });
  const log = new LogRecorder();
  const stats = new StatsStore();
  return { desk: new TrapDesk(log, stats, () => Promise.resolve(module)), log, stats };
}

/** The instruction `unreachable` of the function give_up. */
function giveUp(bytes: Uint8Array): { readonly index: number; readonly offset: number } {
  const structure = readModule(whole);
  const named = [...readFunctionNames(whole, structure)].find(([, name]) => name === "give_up");
  const index = named?.[0] ?? 0;
  const { bodies, importedFunctions } = readModule(bytes);
  return { index, offset: (bodies[index - importedFunctions]?.start ?? 0) + 1 };
}

function trapOf(bytes: Uint8Array, fields: Partial<GuestTrap> = {}): GuestTrap {
  return {
    plugin: "guest",
    version: "0123456789ab",
    moduleKey: "key",
    moduleName: "guest.wasm",
    debugFile: "",
    stop: "trap",
    reason: "unreachable",
    callback: "proxy_on_request_headers",
    contextId: 7,
    stream: {
      streamId: 9,
      requestId: "r-1",
      request: { method: "GET", path: "/a/:n", headerNames: ["x-fault"] },
    },
    fuelUsed: 12,
    fuelBudget: 100,
    computedMs: 0,
    pages: 2,
    pagesMax: 64,
    lastWords: "I give up",
    frames: [{ name: "", ...giveUp(bytes) }],
    ...fields,
  };
}

const line =
  readFileSync(new URL("../../../conformance/guests/c/trapping.c", import.meta.url), "utf8")
    .split("\n")
    .findIndex((text) => text.includes("__builtin_trap")) + 1;

test("a module's own line table gives places, in the log and in the report", async () => {
  const { desk, log } = await rigOf(whole);
  await desk.take(trapOf(whole), Date.UTC(2026, 0, 2));
  expect(log.lines.map(({ message }) => message)).toEqual([
    expect.stringMatching(
      `guest failed in its sources, module guest.wasm\n  at \\? \\(c/trapping.c:${line}:`,
    ),
  ]);
  const page = trapsPage("guest", desk.of("guest"));
  expect(page).toMatchObject({
    plugin: "guest",
    reports_dropped: 0,
    reports: [
      {
        time: "2026-01-02T00:00:00.000Z",
        version: "0123456789ab",
        kind: "trap",
        callback: "proxy_on_request_headers",
        context_id: 7,
        stream_id: 9,
        request_id: "r-1",
        request: { method: "GET", path: "/a/:n", headers: ["x-fault"] },
        fuel_used: 12,
        fuel_budget: 100,
        memory_pages: 2,
        memory_pages_max: 64,
        stderr_tail: "I give up",
        place: expect.stringMatching(`^c/trapping.c:${line}:\\d+$`),
        frames: [{ function: "", place: expect.stringContaining("c/trapping.c:") }],
      },
    ],
    queries_of_death: [],
    queries: [{ count: 1, path: "/a/:n" }],
  });
});

test("a debug file tells names and lines of a module that was stripped", async () => {
  const { desk, log } = await rigOf(stripped());
  await desk.take(trapOf(stripped()));
  expect(log.lines).toEqual([]);
  await desk.take(trapOf(stripped(), { debugFile: file }));
  expect(log.lines[0]?.message).toMatch(`at give_up (c/trapping.c:${line}:`);
  expect(desk.of("guest")?.reports[0]?.frames).toMatchObject([{ name: "give_up" }]);
  // Sections in front of the code: what is in the debug file stands elsewhere.
  const custom = Buffer.from([0, 3, 1, 0x78, 0]);
  const shifted = Buffer.concat([stripped().subarray(0, 8), custom, stripped().subarray(8)]);
  const later = await rigOf(shifted);
  await later.desk.take(trapOf(shifted, { debugFile: file }));
  expect(later.log.lines[0]?.message).toMatch(`at give_up (c/trapping.c:${line}:`);
});

test("a debug file of another module, or one that is none, is named and not used", async () => {
  const other = join(folder, "other.wasm");
  writeFileSync(
    other,
    readFileSync(new URL("../../../conformance/guests/wasm/c-redirect.wasm", import.meta.url)),
  );
  const broken = join(folder, "broken.wasm");
  writeFileSync(broken, whole.subarray(0, 100));
  for (const [debugFile, reason] of [
    [
      other,
      /other.wasm: is not of the module that runs: found code of sha256 [0-9a-f]{64}, expected [0-9a-f]{64}$/,
    ],
    [broken, /broken.wasm: byte \d+: /],
    [join(folder, "none.wasm"), /none.wasm: cannot be read$/],
  ] as const) {
    const { desk, log } = await rigOf(whole);
    await desk.take(trapOf(whole, { debugFile }));
    expect(log.lines[0]).toMatchObject({ level: "warn", message: expect.stringMatching(reason) });
    // The module's own lines are there.
    expect(log.lines[1]?.message).toMatch(`c/trapping.c:${line}:`);
  }
});

test("the last reports of a plugin are kept, the oldest dropped and counted", async () => {
  const { desk, stats } = await rigOf(whole);
  for (let i = 0; i < 25; i += 1) await desk.take(trapOf(whole, { contextId: i, stream: null }));
  await desk.take(trapOf(whole, { plugin: "other" }));
  const traps = desk.of("guest");
  expect(traps?.reports.map(({ trap }) => trap.contextId)).toEqual(
    Array.from({ length: 20 }, (_, i) => 24 - i),
  );
  expect(traps?.reportsDropped).toBe(5);
  expect(desk.of("other")?.reports).toHaveLength(1);
  expect(desk.of("nobody")).toBeNull();
  expect(stats.counter("wasm.trap_reports_dropped").value).toBe(5);
});

/** A source map with one place, at that offset: line 3, column 5 of a.ts. */
function mapAt(offset: number): Buffer {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let mappings = "";
  for (const value of [offset, 0, 2, 4]) {
    let rest = value * 2;
    for (; rest > 31; rest = Math.floor(rest / 32)) mappings += digits[(rest % 32) + 32];
    mappings += digits[rest];
  }
  return Buffer.from(JSON.stringify({ version: 3, sources: ["a.ts"], mappings }));
}

test("a source map that came with a module tells its places, and the last eight are kept", async () => {
  const { desk, stats } = await rigOf(stripped());
  const notKept = stats.counter("wasm.source_maps_not_kept");
  const sha256 = createHash("sha256").update(stripped()).digest("hex");
  const placed = async (): Promise<string> => {
    await desk.take(trapOf(stripped()));
    return desk.placeOf("guest", "0123456789ab");
  };
  expect(await placed()).toBe("");
  const map = mapAt(giveUp(stripped()).offset);
  expect(desk.keepMap(sha256, map)).toBe("");
  expect(await placed()).toBe("a.ts:3:5");
  for (let i = 1; i < PUSHED_MAPS_KEPT; i += 1) desk.keepMap(`other ${i}`, map);
  expect(await placed()).toBe("a.ts:3:5");
  expect(notKept.value).toBe(0);
  desk.keepMap("one more", map);
  expect(await placed()).toBe("");
  expect(notKept.value).toBe(1);
});

test("a source map that is no good is not kept, and it is said why", async () => {
  const { desk, stats } = await rigOf(whole);
  expect(desk.keepMap("a", Buffer.from("{}"))).toBe("found version undefined, expected 3");
  const large = Buffer.alloc(PUSHED_MAP_BYTES_MAX + 1);
  expect(desk.keepMap("a", large)).toBe("found 8388609 bytes, expected at most 8388608");
  expect(stats.counter("wasm.source_maps_not_kept").value).toBe(1);
});

test("reports whose sources are being read are limited", async () => {
  const { stats } = await rigOf(whole);
  const { promise, resolve } = Promise.withResolvers<LoadedModule>();
  const desk = new TrapDesk(new LogRecorder(), stats, () => promise);
  const all = Array.from({ length: 70 }, () => desk.take(trapOf(whole)));
  resolve(await loadModule({ inlineBytes: whole }));
  await Promise.all(all);
  expect(desk.of("guest")?.queries[0]?.count).toBe(64);
  expect(stats.counter("wasm.trap_reports_dropped").value).toBe(64 - 20 + 6);
});

test("a request that stops guests again and again is told once, and counted", async () => {
  const { desk, log } = await rigOf(whole);
  for (let i = 1; i <= 5; i += 1) await desk.take(trapOf(whole), i * 1000);
  const request = { method: "GET", path: "/b", headerNames: ["x-fault"] };
  const stream = { streamId: 1, requestId: "", request };
  await desk.take(trapOf(whole, { stream }));
  const told = log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  const [deadly] = desk.of("guest")?.queries ?? [];
  expect(told).toEqual([
    `wasm requests like GET /a/:n stop plugin guest again and again: 3 times, at ${deadly?.place}; ` +
      `/wasm/plugins/guest/traps counts them as ${deadly?.fingerprint}`,
  ]);
  expect(deadly?.fingerprint).toMatch(/^[0-9a-f]{12}$/);
  expect(trapsPage("guest", desk.of("guest"))).toMatchObject({
    queries_of_death: [
      {
        count: 5,
        first: "1970-01-01T00:00:01.000Z",
        last: "1970-01-01T00:00:05.000Z",
        path: "/a/:n",
      },
    ],
    queries: [{ count: 1, path: "/b" }],
  });
});

test("kinds of requests are limited: the one that came last is kept", async () => {
  const { desk } = await rigOf(whole);
  for (let i = 0; i < 70; i += 1) {
    const request = { method: "GET", path: `/${i}`, headerNames: [] };
    await desk.take(trapOf(whole, { stream: { streamId: i, requestId: "", request } }));
  }
  const traps = desk.of("guest");
  expect(traps?.queries.map(({ request }) => request.path)).toEqual(
    Array.from({ length: 64 }, (_, i) => `/${i + 6}`),
  );
  expect(traps?.queriesDropped).toBe(6);
});
