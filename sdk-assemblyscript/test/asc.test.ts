// Turns at the compiler: two at a time, nothing twice, nothing for ever.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AscError, ResidentAsc, withCompiler } from "../asc.mjs";
import { servicePlace, startAscService } from "../asc-service.mjs";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-asc-"));
});

/** That of the run of all tests; here each test says which one it wants. */
const service = process.env["HEADGATE_ASC_SERVICE"] ?? "";
beforeEach(() => {
  process.env["HEADGATE_ASC_SERVICE"] = "";
});

afterEach(() => {
  process.env["HEADGATE_ASC_SERVICE"] = service;
  rmSync(folder, { recursive: true, force: true });
});

const never = (): boolean => false;

test("lets two work at a time, and one on each target", async () => {
  let running = 0;
  let most = 0;
  const targets = new Set<string>();
  const names = ["a", "b", "c", "a", "b"];
  const results = names.map((name) =>
    withCompiler({ target: join(folder, name), isMade: never }, async () => {
      expect(targets.has(name)).toBe(false);
      targets.add(name);
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      targets.delete(name);
      return name;
    }),
  );
  expect(await Promise.all(results)).toEqual(names);
  expect(most).toBeLessThanOrEqual(2);
});

test("does not make again what was made while it waited", async () => {
  const target = join(folder, "made");
  const turn = { target, isMade: (): boolean => existsSync(target) };
  const make = async (): Promise<string> => {
    await new Promise(setImmediate);
    writeFileSync(target, "");
    return "made";
  };
  const answers = await Promise.all([withCompiler(turn, make), withCompiler(turn, make)]);
  expect(answers).toEqual(["made", null]);
});

test("gives the turn back after a failure, which holds what asc said", async () => {
  writeFileSync(join(folder, "wrong.ts"), "export function f(): i32 { return true as string; }");
  const turn = { target: join(folder, "wrong"), isMade: never };
  const failed = withCompiler(turn, (asc) => asc(["wrong.ts", "-o", "wrong.wasm"], folder));
  await expect(failed).rejects.toThrow(/^asc ended with 1\n[^]*in wrong\.ts\(1,\d+\)/);
  expect(await withCompiler(turn, async () => "next")).toBe("next");
});

test("ends a compiler that does not end by itself, and another one goes on", async () => {
  // The optimiser inlines it into itself for ever.
  const source = "function f(n: i64): i64 { return f(n + 1) + f(n + 2); }";
  writeFileSync(join(folder, "endless.ts"), `${source} export function g(): i64 { return f(1); }`);
  const resident = new ResidentAsc();
  const { pid } = resident;
  const turn = { target: join(folder, "endless"), isMade: never, timeMaxMs: 3000, resident };
  const late = withCompiler(turn, (asc) =>
    asc(["endless.ts", "-o", "endless.wasm", "-O3"], folder),
  );
  await expect(late).rejects.toThrow(/^asc did not end within 3 s\./);
  expect(await resident.compile(["--version"], folder, {}, 60_000)).toContain("Version");
  expect(resident.pid).not.toBe(pid);
  resident.stop();
});

test("one that stays makes what a fresh one makes, and forgets what was before", async () => {
  const compile = async (value: string, resident?: ResidentAsc): Promise<Buffer> => {
    writeFileSync(join(folder, "part.ts"), `export const value = ${value};`);
    writeFileSync(join(folder, "all.ts"), 'export { value } from "./part";');
    const turn = { target: folder, isMade: never, resident };
    await withCompiler(turn, (asc) => asc(["all.ts", "-o", "all.wasm", "--debug"], folder));
    return readFileSync(join(folder, "all.wasm"));
  };
  const resident = new ResidentAsc();
  const { pid } = resident;
  const first = await compile("1", resident);
  const wrong = compile('1 + "a" * 2', resident);
  await expect(wrong).rejects.toThrow(/^asc ended with 1\n[^]*in part\.ts\(1,\d+\)/);
  const second = await compile('"two"', resident);
  expect(await compile("1", resident)).toEqual(first);
  expect(resident.pid).toBe(pid);
  resident.stop();
  expect(await compile('"two"')).toEqual(second);
  expect(await compile("1")).toEqual(first);
});

test("one that stays is replaced when it is worn, or has died", async () => {
  const resident = new ResidentAsc({ compilesMax: 2 });
  const version = (): Promise<string> => resident.compile(["--version"], folder, {}, 60_000);
  const pids = [resident.pid];
  for (let i = 0; i < 3; i++) {
    expect(await version()).toContain("Version");
    pids.push(resident.pid);
  }
  expect(pids.map((pid) => pid === pids[0])).toEqual([true, true, false, false]);
  process.kill(resident.pid as number, "SIGKILL");
  // Perhaps it is sent to one that dies, which is said; the next one is alive.
  await version().catch(() => {});
  expect(await version()).toContain("Version");
  const grown = new ResidentAsc({ rssBytesMax: 1 });
  const { pid } = grown;
  await grown.compile(["--version"], folder, {}, 60_000);
  expect(grown.pid).not.toBe(pid);
  for (const one of [resident, grown]) one.stop();
  expect(resident.pid).toBe(null);
});

test("its messages have no colours, under CI neither", async () => {
  writeFileSync(join(folder, "wrong.ts"), 'export const a: i32 = "text";\n');
  const work = withCompiler({ target: folder, isMade: never }, (asc) =>
    asc(["wrong.ts", "--noEmit"], folder, { CI: "true" }),
  );
  const said = await work.then(String, ({ output }: AscError) => output);
  expect(said).toMatch(/^ERROR TS2322: /);
});

test("a service compiles for this SDK, and says what the compiler says", async () => {
  const stop = await startAscService();
  expect(servicePlace()).not.toBe("");
  const turn = { target: folder, isMade: never };
  const compile = (name: string): Promise<string | null> =>
    withCompiler(turn, (asc) => asc([name, "-o", "made.wasm"], folder));
  writeFileSync(join(folder, "right.ts"), "export const a = 1;");
  expect(await compile("right.ts")).toBe("");
  expect(WebAssembly.validate(readFileSync(join(folder, "made.wasm")))).toBe(true);
  const wrong = await compile("none.ts").then(String, (error: AscError) => error);
  expect(wrong).toMatchObject({
    message: expect.stringMatching(/^asc ended with 1\nERROR TS6054: File 'none\.ts' not found/),
    output: expect.stringMatching(/^ERROR TS6054: /),
  });
  process.env["HEADGATE_ASC_SERVICE"] += "/of-another-sdk";
  expect(servicePlace()).toBe("");
  stop();
});

test("a service that has ended is told", async () => {
  const stop = await startAscService();
  const place = process.env["HEADGATE_ASC_SERVICE"];
  stop();
  expect(servicePlace()).toBe("");
  process.env["HEADGATE_ASC_SERVICE"] = place;
  const late = withCompiler({ target: folder, isMade: never }, (asc) => asc([], folder));
  await expect(late).rejects.toThrow("ENOENT");
});
