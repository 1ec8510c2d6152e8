import { expect, test } from "vitest";
import { OverloadState, OverloadSwitch } from "./overload-state.ts";

function chance(value: number): { u32(): number; uuid(): string } {
  return { u32: () => value, uuid: () => "" };
}

test("a level is a probability: never at 0, always at 1, and counted when it happens", () => {
  let count = 0;
  for (const [level, drawn, occurs] of [
    [0, 0, false],
    [1, 0xffff_ffff, true],
    [0.5, 0x7fff_ffff, true],
    [0.5, 0x8000_0000, false],
  ] as const) {
    const action = new OverloadSwitch(chance(drawn));
    action.counter = { inc: () => void (count += 1) };
    action.level = level;
    expect(action.occurs()).toBe(occurs);
    expect(action.isSaturated).toBe(level === 1);
  }
  expect(count).toBe(2);
});

test("timeouts shrink with the level, down to their floor", () => {
  const state = new OverloadState(chance(0));
  expect(state.connectionIdleMs(3600)).toBe(3600);
  state.reduceTimeouts.level = 0.5;
  expect(state.connectionIdleMs(3600)).toBe(3600);
  state.connectionIdleFloor = { minMs: 600, minScale: 0 };
  state.streamIdleFloor = { minMs: -1, minScale: 0.1 };
  state.connectionMaxFloor = { minMs: 0, minScale: 0 };
  expect(state.connectionIdleMs(3600)).toBe(2100);
  expect(state.streamIdleMs(1000)).toBe(550);
  expect(state.connectionMaxMs(1000)).toBe(500);
  state.reduceTimeouts.level = 1;
  expect(state.connectionIdleMs(3600)).toBe(600);
  expect(state.streamIdleMs(1000)).toBe(100);
  // 0 means off, before and after.
  expect(state.connectionMaxMs(1000)).toBe(1);
  expect(state.connectionMaxMs(0)).toBe(0);
  // A floor above the limit is no floor.
  expect(state.connectionIdleMs(500)).toBe(500);
});
