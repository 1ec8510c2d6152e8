// Faults as tests: the data plane on a network that fails by seed. README.md says what is checked and how to replay.
import { expect, test } from "vitest";
import { Player } from "./player.ts";

/** Steps that further seeds get. A budget of steps, not of time: a slow machine checks as much. */
const freshStepsMin = 2_000_000;
/** HEADGATE_SIM_FRESH=1: seeds that nobody has played. Otherwise each run plays the same. */
const isFresh = (process.env["HEADGATE_SIM_FRESH"] ?? "") !== "";
const fixedRuns = 30;

/** Seeds that found something once; each says what. */
const regressions: readonly (readonly [seed: number, found: string])[] = [
  [2, "a closed connection whose peer takes nothing stayed for ever"],
  [128, "an upstream's answer came after a local reply that a filter held"],
  [297, "a client that takes the answer slowly was reset by the delayed close"],
];

const digest = /^[0-9a-f]{16}$/;
const player = new Player();
let steps = 0;

async function play(seed: number): Promise<string> {
  const played = await player.play(seed);
  steps += played.steps;
  expect(played.failure).toBe("");
  return played.digest;
}

const given = process.env["HEADGATE_SIM_SEED"] ?? "";

test.runIf(given !== "")("HEADGATE_SIM_SEED", { timeout: 600_000 }, async () => {
  expect(await play(Number(given))).toMatch(digest);
});

test.each(regressions)("seed %d: %s", async (seed) => {
  expect(await play(seed)).toMatch(digest);
});

test(`seeds 1 to ${fixedRuns}`, { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= fixedRuns; seed += 1) expect(await play(seed)).toMatch(digest);
});

test("seeds for two million steps", { timeout: 300_000 }, async () => {
  const first = isFresh ? Math.floor(Math.random() * 2 ** 31) : 1000;
  const before = steps;
  for (let run = 0; steps - before < freshStepsMin; run += 1) {
    expect(await play(first + run)).toMatch(digest);
  }
});

test.each([7, 36, 88])("seed %d played twice does the same", async (seed) => {
  expect(await play(seed)).toBe(await play(seed));
});

test("another seed does something else", async () => {
  expect(await play(4)).not.toBe(await play(9));
});

test("that was much", () => {
  expect(steps).toBeGreaterThan(freshStepsMin);
});
