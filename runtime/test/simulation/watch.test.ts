// Runs that hang are failures with a place.
import { expect, test } from "vitest";
import { Dice } from "../../src/engine-sim/dice.ts";
import { isTimeout, WatchedLoop, withinTime } from "./watch.ts";

test("a run in which time stands still is told by its last step", () => {
  const loop = new WatchedLoop(new Dice(1), 100);
  const again = (): void => void loop.after(0, "again", 7, again);
  loop.after(5, "again", 7, again);
  expect(() => loop.pass(1000)).toThrow(
    "the run does not end: step 100, again #7, at 1005.0 virtual ms",
  );
});

test("a step that never gives the thread back is ended, and told", () => {
  const loop = new WatchedLoop(new Dice(1));
  loop.after(5, "stuck", 3, () => {
    for (let i = 0; i >= 0; i = (i + 1) % 1000);
  });
  let thrown: unknown;
  try {
    withinTime(() => loop.pass(10), 50);
  } catch (error) {
    thrown = error;
  }
  expect(isTimeout(thrown)).toBe(true);
  expect(loop.describe()).toBe("step 1, stuck #3, at 1005.0 virtual ms");
});

test("what a run throws is its own", () => {
  const own = new Error("own");
  const play = (): void =>
    withinTime(() => {
      throw own;
    });
  expect(play).toThrow(own);
  expect(isTimeout(own)).toBe(false);
});
