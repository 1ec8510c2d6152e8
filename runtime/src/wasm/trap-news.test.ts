// What is told of a trap, and when.
import { expect, test } from "vitest";
import { TrapNews } from "./trap-news.ts";
import { type StopKind, VmFailure } from "./vm-failure.ts";
import type { Vm } from "./vm.ts";

const vm = {} as Vm;

function newsWithTurns(): {
  readonly news: TrapNews;
  readonly turns: (() => void)[];
  readonly add: (plugin: string, stop: StopKind) => void;
  readonly told: string[];
} {
  const turns: (() => void)[] = [];
  const told: string[] = [];
  const news = new TrapNews((callback) => turns.push(callback));
  const teller = {
    tellOf: (_vm: Vm, _why: VmFailure, plugin: string): void => void told.push(plugin),
  };
  return {
    news,
    turns,
    told,
    add: (plugin, stop) => news.add(teller, vm, new VmFailure("for the test", stop), plugin),
  };
}

test("traps of one turn are told together in the next one, in order", () => {
  const { add, turns, told } = newsWithTurns();
  add("one", "trap");
  add("two", "fuel");
  expect([told, turns.length]).toEqual([[], 1]);
  turns.shift()?.();
  expect(told).toEqual(["one", "two"]);
  add("three", "trap");
  expect(turns.length).toBe(1);
  turns.shift()?.();
  expect(told).toEqual(["one", "two", "three"]);
});

test("a fault of ours is told at once, with all that came before: no turn may come", () => {
  const { add, turns, told } = newsWithTurns();
  add("one", "trap");
  add("two", "host");
  expect(told).toEqual(["one", "two"]);
  turns.shift()?.();
  expect(told.length).toBe(2);
});
