// The suite's own test: each host that is broken on purpose must fail a case.
import { expect, test } from "vitest";
import { playHere } from "../in-process.ts";
import { judge } from "../judge.ts";
import { type Mutant, onBrokenHost } from "./broken-host.ts";
import { cases, catcher } from "./catch.ts";
import { mutants } from "./mutants.ts";

test("a host that is not broken holds cases through the same machinery", async () => {
  const some = cases.filter((_, at) => at % 10 === 0);
  for (const one of some) {
    const mutant: Mutant = { name: "none", hostcalls: {}, callbacks: {} };
    const problems = await onBrokenHost(mutant, async () => judge(one, await playHere(one)));
    expect([one.id, problems]).toEqual([one.id, []]);
  }
});

test.each(mutants)("$name", async (mutant) => {
  expect(await catcher(mutant)).not.toBeNull();
});
